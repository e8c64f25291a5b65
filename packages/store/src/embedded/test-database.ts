import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import pg from "pg";
import { inspectProcess } from "./process.ts";
import { type EmbeddedPostgres, startEmbedded } from "./start.ts";
import { startTestPooler, type TestPooler, throughPooler } from "./test-pooler.ts";

export interface TestDatabase {
  connectionString: string;
  /** Past the pooler, where all tests go through one: for what a test needs a session of its own. */
  directUrl: string;
  /** Ends its connections and removes it. */
  drop(): Promise<void>;
}

/** 18 comes with Carillon; 15, the oldest supported, must be installed on the machine. */
export type TestVersion = 15 | 18;

/** With `CARILLON_TEST_POOLER=1` all tests reach their databases through a pooler in transaction mode, and thus without hints. */
const everythingPooled = (): boolean => Boolean(process.env.CARILLON_TEST_POOLER);

/** What databases are to begin with: made once a run, and copied. */
export interface Original {
  name: string;
  prepare: (connectionString: string) => Promise<unknown>;
}

/**
 * A fresh database on a server that the whole test run shares: empty, or a copy. Null: that version is not on this machine; with
 * `CARILLON_TEST_REQUIRE=all` an error instead.
 */
export function createTestDatabase(options?: { version?: 18; copyOf?: Original }): Promise<TestDatabase>;
export function createTestDatabase(options: { version: TestVersion; copyOf?: Original }): Promise<TestDatabase | null>;
export async function createTestDatabase({
  version = 18,
  copyOf,
}: {
  version?: TestVersion;
  copyOf?: Original;
} = {}): Promise<TestDatabase | null> {
  const server = await serverOfThisRun(version);
  if (server === null) {
    if (process.env.CARILLON_TEST_REQUIRE === "all") {
      throw new Error(
        "PostgreSQL 15 is required here but absent: install it or set CARILLON_TEST_PG15_BIN to its bin folder",
      );
    }
    return null;
  }
  const name = `test_${randomBytes(8).toString("hex")}`;
  const directUrl = databaseOf(server, name);
  if (copyOf) {
    await prepareOnce(server, copyOf);
    await run(server, `create database ${name} template ${copyOf.name} strategy file_copy`);
  } else {
    await run(server, `create database ${name}`);
  }
  return {
    connectionString: everythingPooled() ? throughPooler(directUrl) : directUrl,
    directUrl,
    drop: () => run(server, `drop database if exists ${name} with (force)`),
  };
}

const databaseOf = (server: string, name: string) => server.replace(":///carillon?", `:///${name}?`);

const prepared = new Set<string>();

/** By whichever process of the run is first; nobody connects to it afterwards, or it could not be copied. */
async function prepareOnce(server: string, { name, prepare }: Original): Promise<void> {
  const url = databaseOf(server, name);
  if (prepared.has(url)) return;
  await withClient(server, async (client) => {
    await client.query("select pg_advisory_lock(1)");
    const { rowCount } = await client.query("select from pg_database where datname = $1 and not datallowconn", [name]);
    if (rowCount === 0) {
      await client.query(`create database ${name}`);
      await prepare(url);
      await client.query(`alter database ${name} allow_connections false`);
    }
  });
  prepared.add(url);
}

export interface TestServers {
  /** Starts the server on first use. */
  connectionString(version: TestVersion): Promise<string | null>;
  stop(): Promise<void>;
}

/** Servers in temporary folders. */
export function testServers(): TestServers {
  const started = new Map<TestVersion, Promise<EmbeddedPostgres | null>>();
  const poolers: Promise<TestPooler>[] = [];
  const folders: string[] = [];
  const start = async (version: TestVersion) => {
    const bin = version === 15 ? (process.env.CARILLON_TEST_PG15_BIN ?? "/usr/lib/postgresql/15/bin") : undefined;
    if (bin && !existsSync(bin)) return null;
    const dataDir = makeRunFolder();
    folders.push(dataDir);
    const server = await startEmbedded({
      dataDir,
      ...(bin && { postgresBin: bin }),
      // Nobody asks it to survive the machine; what must, has a server of its own.
      settings: { max_connections: "300", fsync: "off", full_page_writes: "off" },
    });
    if (everythingPooled()) poolers.push(startTestPooler(server.connectionString));
    await Promise.all(poolers);
    return server;
  };
  return {
    async connectionString(version) {
      if (!started.has(version)) started.set(version, start(version));
      return (await started.get(version)!)?.connectionString ?? null;
    },
    async stop() {
      await Promise.allSettled(poolers.map(async (pooler) => (await pooler).stop()));
      await Promise.allSettled([...started.values()].map(async (server) => (await server)?.stop()));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

const prefix = "carillon-test-";

/** A temporary folder of this test run; those of runs that were killed are removed on the way. */
export function makeRunFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix) || inspectProcess(Number.parseInt(name.slice(prefix.length), 10))) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

let own: TestServers | null = null;

/** Asks the test run's main process (vitest-setup.ts); outside of one, this process starts its own. */
async function serverOfThisRun(version: TestVersion): Promise<string | null> {
  const path = process.env.CARILLON_TEST_SERVERS;
  if (!path) {
    own ??= testServers();
    return await own.connectionString(version);
  }
  const socket = createConnection(path);
  socket.write(String(version));
  const answer = JSON.parse(await text(socket)) as { connectionString: string | null; error?: string };
  if (answer.error) throw new Error(answer.error);
  return answer.connectionString;
}

const run = (connectionString: string, sql: string) => withClient(connectionString, (client) => client.query(sql));

async function withClient(connectionString: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
