/** Starts a node for `dev` and `server`, says what it is, and stops it well. */
import { type AnyTask, noop, sleep } from "@carillon/client";
import { type CarillonNode, type Config, httpTask, isLoopback, startNode } from "@carillon/server";
import { prettyFactory } from "pino-pretty";
import { StartError } from "./exit.ts";
import { printable, say } from "./output.ts";

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

/** Log lines for people, on stderr. They may quote what users wrote, so they are plain text. */
function readableLog(): { write(line: string): void } {
  const format = prettyFactory({ colorize: false, ignore: "pid,hostname,name" });
  return { write: (line) => void process.stderr.write(printable(format(line) ?? "")) };
}

/** Until SIGTERM or SIGINT; a second one ends the process at once. */
export async function runNode(options: RunNodeOptions): Promise<void> {
  const stopped = stopSignals();
  const node = await startOnFreePort(options);
  sayReady(node, options);
  const signal = await Promise.race([stopped, node.closed]);
  if (signal) say(`${signal}: draining for up to ${options.drainTimeout}; once more leaves at once`);
  await node.close({ timeout: options.drainTimeout });
  // Everything is stopped; a timer or a socket that somebody forgot must not hold the process.
  process.exit(0);
}

/** The first signal, also one that comes while the node still starts. */
function stopSignals(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (signal: NodeJS.Signals) => {
      // The embedded database is stopped by an exit handler, and by its watchdog should that not be enough.
      if (seen) process.exit(1);
      seen = true;
      resolve(signal);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

async function startOnFreePort(options: RunNodeOptions): Promise<CarillonNode> {
  // What the node does not read stays here: it refuses options that it does not know.
  const { host, port, auth: _auth, httpAllow, origins: _origins, ...config } = options.config;
  const last = options.nextFreePort && port !== 0 ? Math.min(port + PORTS_TO_TRY, 65_535) : port;
  for (let candidate = port; ; candidate++) {
    try {
      const node = await startNode({
        ...config,
        databaseUrl: options.databaseUrl,
        listen: { host, port: candidate },
        tasks: [httpTask([...httpAllow, ...options.httpAllow]), noop, sleep, ...options.tasks],
        concurrency: options.concurrency,
        logStream: options.jsonLogs ? process.stderr : readableLog(),
      });
      if (candidate !== port) say(`port ${port} is taken, using ${candidate}`);
      return node;
    } catch (error) {
      if (!isListenError(error)) throw error;
      if (error.code !== "EADDRINUSE" || candidate >= last) throw new StartError(explainListen(error, host, candidate));
    }
  }
}

function isListenError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && error.syscall === "listen";
}

function explainListen({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === "EADDRINUSE") return `port ${port} on ${host} is taken; choose another with --port, or 0 for any`;
  if (code === "EACCES") return `port ${port} on ${host} may be used by root only; choose one from 1024 on`;
  return message;
}

function sayReady(node: CarillonNode, { jsonLogs }: RunNodeOptions): void {
  const { url, database } = node;
  if (jsonLogs) {
    console.log(JSON.stringify({ msg: "ready", url, database }));
    return;
  }
  const lines = [
    `carillon ready on ${url}`,
    "",
    `  dashboard  ${url}/`,
    `  API        ${url}/api/v1, reference at ${url}/docs, gRPC on the same port`,
    `  data       ${database.place}`,
    `  survives   ${database.survives}`,
    ...(database.recovered ? [`  recovered  ${database.recovered}`] : []),
    ...database.warnings.map((warning) => `  warning    ${warning}`),
    "",
    `  try        npx carillon tasks create sleep '{"for":"1s"}' --delay 2s --wait${urlOption(url)}`,
    "",
  ];
  console.log(lines.join("\n"));
}

/** For the command to try: needed only where the client would look elsewhere. */
function urlOption(url: string | null): string {
  return url === null || url === "http://127.0.0.1:7070" ? "" : ` --url ${url}`;
}

/** What `carillon dev` adds for a laptop: targets on the machine itself. */
export function loopbackAllowed(host: string): string[] {
  return isLoopback(host) ? ["127.0.0.0/8", "::1/128", "localhost"] : [];
}
