/**
 * Connections to PostgreSQL, in small separate pools: work that may wait (inserts with keys, lists) never keeps work waiting that must
 * not (outcomes, claims, renewals). A pooler in transaction mode may stand between: then nothing is kept in a session, and each
 * transaction begins with its settings.
 */
import pg from "pg";
import { beginWith, type ConnectionTarget, connectionConfig } from "./connection.ts";
import { isBroken, translate, unavailable } from "./db-errors.ts";
import { CHECK_CLIENT, findPooler, requireSession } from "./pooler.ts";
import { systemTimers, type Timers } from "./timers.ts";

export { isDeadlock, isLockTimeout, isUnknown, sqlState, translate } from "./db-errors.ts";

/** A named prepared statement: the same name always goes with the same text. */
export interface Statement {
  name: string;
  text: string;
}

export interface QueryOptions {
  /** Default 5,000. */
  deadlineMs?: number;
}

export interface Db {
  /**
   * Rows as arrays. When the deadline passes the connection is destroyed; the caller gets CarillonError("unavailable"), as for a
   * connection that breaks, and whether the statement took effect is then unknown (`isUnknown`).
   */
  query<Row extends unknown[] = unknown[]>(
    statement: Statement,
    values: unknown[],
    options?: QueryOptions,
  ): Promise<Row[]>;
  /** Rolls back when `work` throws. Inside a transaction it joins that one. 40P01 and 40001 reach the caller, who may try again. */
  transaction<T>(work: (tx: Db) => Promise<T>): Promise<T>;
}

const poolSizes = {
  /** A node's signs of life, its time and its leases, which wait behind nothing else. */
  sessions: 2,
  /** The planner, people's writes. */
  control: 4,
  claims: 2,
  outcomes: 2,
  inserts: 4,
  /** Inserts with a unique or idempotency key. */
  keyed: 2,
  /** The same, once a key has proved to be held by somebody else's transaction. */
  blocked: 4,
  reads: 4,
} as const;
export type PoolName = keyof typeof poolSizes;

/**
 * Statements over outcomes fetch their rows by id and join them with what was sent. A planner that believes the table empty, as after
 * the vacuum of a drained queue, would compare each with each: 75 ms for 1,000 instead of 10.
 */
const poolSettings: Partial<Record<PoolName, Record<string, string>>> = {
  outcomes: { enable_nestloop: "off", enable_mergejoin: "off" },
};

/** Of what runs on a connection of its own, such as a vacuum: a network that drops everything in silence must not hold it for ever. */
const LONGEST_MS = 600_000;

export type Pools = Record<PoolName, Db> & {
  readonly timers: Timers;
  readonly log: (message: string) => void;
  /** For connections of one's own: listening, vacuum, partitions. Direct, past a pooler, where one is known. */
  connect(): Promise<pg.Client>;
  /** Whether such a connection is a session. Otherwise it has no settings, and what it sets or locks is somebody else's a moment later. */
  readonly keepsSession: boolean;
  close(): Promise<void>;
};

export interface PoolOptions {
  connection: ConnectionTarget;
  /** Where session state is kept (LISTEN), when `connection` leads through a pooler. */
  direct?: ConnectionTarget | undefined;
  /** Told the duration of each statement. */
  statementTimer?: ((name: string, seconds: number) => void) | undefined;
  /** Told what an operator may want to know, in one sentence. */
  log?: ((message: string) => void) | undefined;
  timers?: Timers | undefined;
}

export async function openPools(options: PoolOptions): Promise<Pools> {
  const { connection, direct, log = () => {}, timers = systemTimers } = options;
  const pooler = await findPooler(connection);
  if (direct !== undefined) await requireSession(direct);
  const keepsSession = direct !== undefined || pooler === null;
  if (!keepsSession) log(POLLS_ONLY);
  const opened = Object.entries(poolSizes).map(([name, max]) => {
    const extra = poolSettings[name as PoolName] ?? {};
    const config = connectionConfig(connection, { startUpOptions: pooler === null, extra });
    const pool = new pg.Pool({ ...config, pipeline: true, max, idleTimeoutMillis: 0 } as pg.PoolConfig);
    pool.on("connect", (client) => {
      watch(client);
      if (pooler) return;
      for (const [name, value] of Object.entries(CHECK_CLIENT))
        client.query(`set ${name} = '${value}'`).catch(() => {});
    });
    pool.on("error", () => {}); // The pool has dropped that connection; the next caller opens another.
    return { name, pool, local: pooler && { ...pooler.settings, ...extra } };
  });
  const dbs = opened.map(({ name, pool, local }) => [name, createDb(pool, { ...options, timers, local })]);
  return {
    ...(Object.fromEntries(dbs) as Record<PoolName, Db>),
    timers,
    log,
    keepsSession,
    async connect() {
      const config = connectionConfig(direct ?? connection, { startUpOptions: keepsSession });
      const client = new pg.Client({ ...config, query_timeout: LONGEST_MS });
      watch(client);
      try {
        await client.connect();
      } catch (error) {
        throw translate(error);
      }
      return client;
    },
    async close() {
      await Promise.all(opened.map(({ pool }) => pool.end()));
    },
  };
}

const POLLS_ONLY =
  "The database is behind a pooler, which carries no hints between nodes: they find each other's work by looking, up to a second later. " +
  "Set CARILLON_DATABASE_DIRECT_URL to the PostgreSQL server itself to have hints.";

interface WatchedClient {
  commitWarning?: string;
}

/** A commit that was cancelled while waiting for the standby reports success with a warning: it may be lost in a failover. */
function watch(client: pg.ClientBase): void {
  client.on("error", () => {}); // Every query of it fails, and it leaves the pool.
  client.on("notice", (notice) => {
    if (notice.code === "01000" || notice.code === "57P01") {
      (client as WatchedClient).commitWarning = notice.message ?? "warning at commit";
    }
  });
}

interface DbOptions {
  timers: Timers;
  statementTimer?: ((name: string, seconds: number) => void) | undefined;
  /** Settings that each transaction begins with, since its session has none. Null: it has. */
  local: Record<string, string> | null;
}

function createDb(pool: pg.Pool, { timers, statementTimer, local }: DbOptions): Db {
  const begin: Statement = { name: "", text: local ? beginWith(local) : "begin" };

  async function run<Row extends unknown[]>(
    client: pg.ClientBase,
    statement: Statement,
    values: unknown[],
    { deadlineMs = 5_000 }: QueryOptions = {},
    how: typeof send = send,
  ): Promise<Row[]> {
    const startedAt = timers.monotonic();
    try {
      const sent = local ? { ...statement, name: "" } : statement;
      return (await how(client, sent, values, deadlineMs)).rows as Row[];
    } finally {
      statementTimer?.(statement.name, (timers.monotonic() - startedAt) / 1_000);
    }
  }

  /** In a transaction that is begun and ended in the same round trip. */
  const sendWithSettings: typeof send = async (client, statement, values, deadlineMs) => {
    const travelling = [
      send(client, begin, [], deadlineMs),
      send(client, statement, values, deadlineMs),
      send(client, commit, [], deadlineMs),
    ] as const;
    // Nothing is used of the connection before all have been answered; what went wrong first says most.
    await Promise.allSettled(travelling);
    const [, answer] = await Promise.all(travelling);
    return answer;
  };

  return {
    async query<Row extends unknown[]>(statement: Statement, values: unknown[], options?: QueryOptions) {
      const client = await acquire(pool);
      let failure: unknown;
      try {
        return await run<Row>(client, statement, values, options, local ? sendWithSettings : send);
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        client.release(isBroken(failure));
      }
    },
    async transaction(work) {
      const client = await acquire(pool);
      const tx: Db = {
        query: (statement, values, options) => run(client, statement, values, options),
        transaction: (inner) => inner(tx),
      };
      let broken = true;
      try {
        const begun = send(client, begin, []);
        begun.catch(() => {}); // It travels with the first statement, which fails with it.
        let answer: Awaited<ReturnType<typeof work>>;
        try {
          answer = await work(tx);
          await begun;
        } catch (error) {
          if (!isBroken(error)) {
            await send(client, rollback, []);
            broken = false;
          }
          throw error;
        }
        const { command } = await send(client, commit, []);
        broken = false;
        if (command !== "COMMIT") throw new Error("a statement of the transaction failed, and nobody said so");
        return answer;
      } finally {
        client.release(broken);
      }
    },
  };
}

const commit: Statement = { name: "", text: "commit" };
const rollback: Statement = { name: "", text: "rollback" };

async function acquire(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw translate(error);
  }
}

function send(
  client: pg.ClientBase,
  statement: Statement,
  values: unknown[],
  deadlineMs = 5_000,
): Promise<pg.QueryArrayResult> {
  const config = {
    ...(statement.name === "" ? {} : { name: statement.name }),
    text: statement.text,
    values,
    rowMode: "array",
    query_timeout: deadlineMs,
  } as pg.QueryArrayConfig;
  return new Promise((resolve, reject) => {
    client.query(config, (error: Error | undefined, result: pg.QueryArrayResult) => {
      const { commitWarning } = client as WatchedClient;
      if (error) reject(translate(error, true));
      else if (commitWarning !== undefined) reject(unavailable(new Error(commitWarning), { sent: true, broken: true }));
      else resolve(result);
    });
  });
}
