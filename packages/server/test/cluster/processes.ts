/** Nodes and workers as real processes of the built command line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const CLI = join(import.meta.dirname, "../../../cli/dist/main.js");
const TASKS = join(import.meta.dirname, "journal-tasks.mjs");

export interface Running {
  process: ChildProcess;
  /** The last lines of stderr, for the message of a failing test. */
  stderr: string[];
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface RunningNode extends Running {
  url: string;
}

export async function startNodeProcess(options: {
  databaseUrl?: string;
  dataDir?: string;
  port?: number;
  command?: "server" | "dev";
  environment?: NodeJS.ProcessEnv;
}): Promise<RunningNode> {
  const { databaseUrl, dataDir, port = 0, command = "server", environment = {} } = options;
  const args = [
    command,
    "--port",
    String(port),
    ...(databaseUrl === undefined ? [] : ["--database-url", databaseUrl]),
    ...(dataDir === undefined ? [] : ["--data-dir", dataDir]),
  ];
  const running = run(args, environment);
  const url = await readyUrl(running);
  return { ...running, url };
}

export function startWorkerProcess(options: {
  urls: string[];
  journal: string;
  concurrency?: number;
  queues?: string[];
}): Running {
  const { urls, journal, concurrency = 50, queues } = options;
  const args = ["worker", TASKS, ...urls.flatMap((url) => ["--url", url]), "--concurrency", String(concurrency)];
  return run([...args, ...(queues ? ["--queues", queues.join(",")] : [])], {
    CARILLON_TEST_JOURNAL: journal,
    CARILLON_TEST_URLS: urls.join(" "),
  });
}

function run(args: string[], environment: NodeJS.ProcessEnv = {}): Running {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(CARILLON_(?!TEST)|DATABASE_URL|NODE_ENV|VITEST)/.test(name)),
  );
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...inherited, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stderr: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr.push(line);
    if (stderr.length > 50) stderr.shift();
  });
  child.on("error", (error) => stderr.push(String(error)));
  return {
    process: child,
    stderr,
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
}

/** From the first line on stdout. */
function readyUrl({ process: child, stderr }: Running): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout! });
    lines.on("line", (line) => {
      const [, url] = /^carillon ready on (\S+)$/.exec(line) ?? [];
      if (url) resolve(url);
    });
    child.once("exit", (code, signal) => reject(new Error(`the node ended (${code ?? signal}): ${stderr.join("\n")}`)));
  });
}
