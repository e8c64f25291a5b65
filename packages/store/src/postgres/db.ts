/**
 * Connections to PostgreSQL, in small separate pools: work that may wait (inserts with keys, lists) never keeps work waiting that must
 * not (outcomes, claims, renewals). No session state is used beyond start-up settings, so a pooler in transaction mode may stand between.
 */
import pg from "pg";
import { type ConnectionTarget, connectionConfig } from "./connection.ts";
import { isBroken, translate, unavailable } from "./db-errors.ts";
import { prepareSettings } from "./role-settings.ts";
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
  const timers = options.timers ?? systemTimers;
  const startUpOptions = await prepareSettings(options.connection, options.direct ?? options.connection);
  const opened = Object.entries(poolSizes).map(([name, max]) => {
    const config = connectionConfig(options.connection, {
      startUpOptions,
      extra: poolSettings[name as PoolName] ?? {},
    });
    const pool = new pg.Pool({ ...config, pipeline: true, max, idleTimeoutMillis: 0 } as pg.PoolConfig);
    pool.on("connect", (client) => {
      watch(client);
      // What nobody waits for any more shall not go on, as lists that ran out of time do for minutes. Servers on Windows cannot.
      client.query("set client_connection_check_interval = '1s'").catch(() => {});
    });
    pool.on("error", () => {}); // The pool has dropped that connection; the next caller opens another.
    return { name, pool };
  });
  const dbs = opened.map(({ name, pool }) => [name, createDb(pool, timers, options.statementTimer)]);
  return {
    ...(Object.fromEntries(dbs) as Record<PoolName, Db>),
    timers,
    log: options.log ?? (() => {}),
    async connect() {
      const config = connectionConfig(options.direct ?? options.connection);
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

function createDb(pool: pg.Pool, timers: Timers, statementTimer: PoolOptions["statementTimer"]): Db {
  async function run<Row extends unknown[]>(
    client: pg.ClientBase,
    statement: Statement,
    values: unknown[],
    options?: QueryOptions,
  ): Promise<Row[]> {
    const startedAt = timers.monotonic();
    try {
      return (await send(client, statement, values, options?.deadlineMs)).rows as Row[];
    } finally {
      statementTimer?.(statement.name, (timers.monotonic() - startedAt) / 1_000);
    }
  }

  return {
    async query<Row extends unknown[]>(statement: Statement, values: unknown[], options?: QueryOptions) {
      const client = await acquire(pool);
      let failure: unknown;
      try {
        return await run<Row>(client, statement, values, options);
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

const begin: Statement = { name: "", text: "begin" };
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
