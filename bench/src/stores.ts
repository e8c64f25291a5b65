/** The stores that contenders run on: one PostgreSQL for all of them, with a new database for each run, and a Redis of each kind. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbedded } from "@carillon/store";
import pg from "pg";
import { type ContenderName, contenders } from "./contenders/index.ts";
import { cpuSeconds, cpuSecondsOfTree, megabytes, megabytesOfTree } from "./processes.ts";

/** What the actors of one run need to know of their store. */
export interface Backing {
  env: Record<string, string>;
  /** Processor time of the store so far. */
  cpuSeconds(): number;
  megabytes(): number;
  /** A statement, for the workloads that look into PostgreSQL. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

export interface Stores {
  readonly versions: Record<string, string>;
  open(name: ContenderName): Promise<Backing>;
  close(): Promise<void>;
}

/** Of those that need none. */
export const nothing: Backing = {
  env: {},
  cpuSeconds: () => 0,
  megabytes: () => 0,
  query: async () => [],
  drop: async () => {},
};

export async function openStores(names: readonly ContenderName[]): Promise<Stores> {
  const folder = mkdtempSync(join(tmpdir(), "carillon-bench-"));
  const kinds = new Set(names.map((name) => contenders[name].store));
  const postgres = kinds.has("postgres") ? await startEmbedded({ dataDir: join(folder, "postgres") }) : null;
  const redis = new Map<string, Redis>();
  for (const kind of ["redis", "redis-fsync"] as const)
    if (kinds.has(kind)) redis.set(kind, await startRedis(folder, kind));
  let databases = 0;
  return {
    versions: {
      node: process.version,
      ...(postgres ? { postgresql: postgres.version } : {}),
      ...(redis.size > 0
        ? { redis: execFileSync("redis-server", ["--version"], { encoding: "utf8" }).match(/v=(\S+)/)?.[1] ?? "?" }
        : {}),
    },
    async open(name) {
      const { store } = contenders[name];
      if (store === "postgres") return openDatabase(postgres!, `bench_${++databases}`);
      if (store === "none") return nothing;
      const { port, child } = redis.get(store)!;
      return {
        env: { BENCH_REDIS_PORT: String(port) },
        cpuSeconds: () => cpuSeconds(child.pid!),
        megabytes: () => megabytes(child.pid!),
        query: async () => [],
        drop: async () => void execFileSync("redis-cli", ["-p", String(port), "flushall"]),
      };
    },
    async close() {
      for (const { child } of redis.values()) child.kill("SIGKILL");
      await postgres?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function openDatabase(postgres: EmbeddedPostgres, name: string): Promise<Backing> {
  const admin = new pg.Client({ connectionString: postgres.connectionString });
  await admin.connect();
  await admin.query(`create database ${name}`);
  // Every run begins with a clean write-ahead log.
  await admin.query("checkpoint");
  const url = new URL(postgres.connectionString);
  url.pathname = `/${name}`;
  const inside = new pg.Client({ connectionString: url.href });
  await inside.connect();
  return {
    env: { BENCH_DATABASE_URL: url.href },
    cpuSeconds: () => cpuSecondsOfTree(postgres.pid),
    megabytes: () => megabytesOfTree(postgres.pid),
    query: async (sql) => (await inside.query(sql)).rows,
    async drop() {
      await inside.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

interface Redis {
  port: number;
  child: ChildProcess;
}

async function startRedis(folder: string, kind: "redis" | "redis-fsync"): Promise<Redis> {
  const port = await freePort();
  const durable = kind === "redis-fsync";
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--dbfilename", `${kind}.rdb`]
      .concat(["--appenddirname", kind, "--maxmemory-policy", "noeviction"])
      .concat(durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"]),
    { stdio: "ignore" },
  );
  for (let tries = 0; ; tries++) {
    try {
      execFileSync("redis-cli", ["-p", String(port), "ping"], { stdio: "ignore" });
      return { port, child };
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
