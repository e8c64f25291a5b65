/**
 * Connections to PostgreSQL, in small separate pools: work that may wait (inserts with keys, lists) never keeps work waiting that must
 * not (outcomes, claims, renewals). A pooler in transaction mode may stand between: then nothing is kept in a session, and each
 * transaction begins with its settings.
 */
import pg from "pg";
import { type ConnectionTarget, connectionConfig } from "./connection.ts";
import { translate } from "./db-errors.ts";
import { CHECK_CLIENT, findPooler, requireSession } from "./pooler.ts";
import { createDb, type Db, watch } from "./statements.ts";
import { systemTimers, type Timers } from "./timers.ts";

export { isDeadlock, isLockTimeout, isUnknown, sqlState, translate } from "./db-errors.ts";
export type { Db, Statement } from "./statements.ts";

const poolSizes = {
  /** A node's signs of life, its time and its leases, which wait behind nothing else. */
  sessions: 2,
  /** The planner, people's writes. */
  control: 4,
  claims: 2,
  /** Those from limited queues, which take several round trips. */
  limited: 2,
  outcomes: 2,
  inserts: 4,
  /** Inserts with a unique or idempotency key. */
  keyed: 2,
  /** The same, once a key has proved to be held by somebody else's transaction. */
  blocked: 4,
  reads: 4,
} as const;
export type PoolName = keyof typeof poolSizes;

/** Planned once, not with every call, which took a seventh of what a single create costs: their plans depend on no value. */
const prepared = { plan_cache_mode: "force_generic_plan" };

/**
 * Statements over outcomes fetch their rows by id and join them with what was sent. A planner that believes the table empty, as after
 * the vacuum of a drained queue, would compare each with each: 75 ms for 1,000 instead of 10.
 */
const poolSettings: Partial<Record<PoolName, Record<string, string>>> = {
  claims: prepared,
  outcomes: { ...prepared, enable_nestloop: "off", enable_mergejoin: "off" },
  inserts: prepared,
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
