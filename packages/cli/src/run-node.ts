/** Starts a node for `dev` and `server`, says what it is, and stops it well. */
import type { AnyTask } from "@carillon/client";
import { noop, sleep } from "@carillon/client";
import { type CarillonNode, type Config, httpTask, isLoopback, startNode } from "@carillon/server";

export interface RunNodeOptions {
  config: Config;
  tasks: AnyTask[];
  concurrency: number;
  databaseUrl: string | undefined;
  /** When the port is taken, take the next free one. */
  nextFreePort: boolean;
  /** Addresses that http tasks may reach, beside the configured ones. */
  httpAllow: string[];
  drainTimeout: string;
  jsonLogs: boolean;
}

const PORTS_TO_TRY = 20;

export async function runNode(options: RunNodeOptions): Promise<void> {
  const { config } = options;
  const node = await startOnFreePort(options);
  ready(node, options);

  let stopping: Promise<void> | null = null;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) {
      console.error(`${signal} again: leaving at once`);
      process.exit(1);
    }
    console.error(`${signal}: draining`);
    stopping = node.close({ timeout: options.drainTimeout });
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await node.closed;
  await stopping;
  process.off("SIGTERM", stop);
  process.off("SIGINT", stop);
  if (config.logLevel === "debug") console.error("stopped");
}

async function startOnFreePort(options: RunNodeOptions): Promise<CarillonNode> {
  const { config } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await startNode({
        ...config,
        databaseUrl: options.databaseUrl,
        listen: { host: config.host, port: config.port === 0 ? 0 : config.port + attempt },
        tasks: [httpTask([...config.httpAllow, ...options.httpAllow]), noop, sleep, ...options.tasks],
        concurrency: options.concurrency,
      });
    } catch (error) {
      const taken = (error as { code?: unknown }).code === "EADDRINUSE";
      if (!taken || !options.nextFreePort || attempt >= PORTS_TO_TRY) throw error;
      if (attempt === 0) console.error(`port ${config.port} is taken, looking for the next free one`);
    }
  }
}

function ready(node: CarillonNode, { jsonLogs }: RunNodeOptions): void {
  if (jsonLogs) {
    console.log(JSON.stringify({ msg: "ready", url: node.url, database: node.database }));
    return;
  }
  console.log(`carillon ready on ${node.url}`);
  const { database } = node;
  console.log("");
  console.log(`  dashboard  ${node.url}/`);
  console.log(`  API        ${node.url}/api/v1 (docs at ${node.url}/docs), gRPC on the same port`);
  console.log(`  data       ${database.place}`);
  console.log(`  survives   ${database.survives}`);
  if (database.recovered) console.log(`  recovered  ${database.recovered}`);
  for (const warning of database.warnings) console.log(`  warning    ${warning}`);
  console.log("");
  console.log(`  try        npx carillon tasks create sleep '{"for":"1s"}' --delay 2s --wait`);
}

/** What `carillon dev` adds for a laptop: targets on the machine itself. */
export function loopbackAllowed(host: string): string[] {
  return isLoopback(host) ? ["127.0.0.0/8", "::1/128", "localhost"] : [];
}
