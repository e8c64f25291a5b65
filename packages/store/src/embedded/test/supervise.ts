import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { onTestFinished } from "vitest";
import { inspectProcess } from "../process.ts";
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbedded } from "../start.ts";
import { until } from "../timers.ts";

export const isRoot = process.getuid?.() === 0;
export const pg15Bin = process.env.CARILLON_TEST_PG15_BIN ?? "/usr/lib/postgresql/15/bin";
/** What a test for PostgreSQL 15 is skipped by; with CARILLON_TEST_REQUIRE=all it fails instead. */
export const noPg15 = !existsSync(pg15Bin) && process.env.CARILLON_TEST_REQUIRE !== "all";

/** A folder that is removed when the test ends. */
export function temporaryFolder(mode = 0o755): string {
  const folder = mkdtempSync(join(tmpdir(), "carillon-embedded-"));
  chmodSync(folder, mode);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

/** Test files that run in one process share it; it lies in the folder of the run, and goes with that. */
let template: Promise<string> | null = null;

/** A data folder in which a database was made before, for tests that are not about that. Removed when the test ends. */
export async function madeFolder(): Promise<string> {
  template ??= (async () => {
    const dataDir = mkdtempSync(join(dirname(process.env.CARILLON_TEST_SERVERS!), "embedded-"));
    const database = await startEmbedded({ dataDir });
    await query(database, "create table kept (id int primary key)");
    await database.stop();
    return join(dataDir, "pg18");
  })();
  const folder = temporaryFolder();
  cpSync(await template, join(folder, "pg18"), { recursive: true });
  return folder;
}

export async function query(database: { connectionString: string }, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(database.connectionString);
  client.on("error", () => {}); // Some tests end the server under it.
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A file of this folder as processes of their own can load it. */
export function builtModule(name: string): string {
  const path = fileURLToPath(new URL(`../../../dist/embedded/${name}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`${path} is missing: run npm run build first`);
  return path;
}

export async function ended(pid: number): Promise<void> {
  if (!(await until(() => inspectProcess(pid) === null, { timeoutMs: 20_000 })))
    throw new Error(`process ${pid} lives on`);
}

export interface Supervisor {
  process: ChildProcess;
  /** The next thing it said. */
  next(): Promise<string>;
  /** Resolves when its database is up. */
  database(): Promise<Omit<EmbeddedPostgres, "stop">>;
}

/** Runs as a process of its own. SIGTERM stops in order; `user` are the rights it gives up root's for. */
const program = `
  const [module, json] = process.argv.slice(1);
  const { startEmbedded } = await import(module);
  const { user, ...options } = JSON.parse(json);
  if (user) { process.setgroups([]); process.setgid(user.gid); process.setuid(user.uid); }
  const onExit = (info) => console.log("ended " + JSON.stringify(info));
  const database = await startEmbedded({ ...options, onExit }).catch((error) => {
    console.log(JSON.stringify({ error: { code: error.code, message: error.message } }));
    process.exit(1);
  });
  process.on("SIGTERM", async () => { await database.stop(); process.exit(0); });
  process.on("SIGINT", () => console.log("interrupted"));
  process.on("SIGUSR2", () => process.exit(3));
  console.log(JSON.stringify(database));
`;

export function supervise(
  options: EmbeddedOptions & { user?: { uid: number; gid: number } },
  environment: NodeJS.ProcessEnv = {},
): Supervisor {
  const arguments_ = ["--input-type=module", "-e", program, builtModule("start.js"), JSON.stringify(options)];
  const child = spawn(process.execPath, arguments_, {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
    env: { ...process.env, ...environment },
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the supervisor ended");
    return value as string;
  };
  return {
    process: child,
    next,
    async database() {
      const answer = JSON.parse(await next());
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer;
    },
  };
}
