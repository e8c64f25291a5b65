/** How one statement, or a transaction of several, goes over a connection of a pool. */
import type pg from "pg";
import { beginWith } from "./connection.ts";
import { isBroken, translate, unavailable } from "./db-errors.ts";
import type { Timers } from "./timers.ts";

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

export interface DbOptions {
  timers: Timers;
  statementTimer?: ((name: string, seconds: number) => void) | undefined;
  /** Settings that each transaction begins with, since its session has none. Null: it has. */
  local: Record<string, string> | null;
}

export function createDb(pool: pg.Pool, { timers, statementTimer, local }: DbOptions): Db {
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

interface WatchedClient {
  commitWarning?: string;
}

/** A commit that was cancelled while waiting for the standby reports success with a warning: it may be lost in a failover. */
export function watch(client: pg.ClientBase): void {
  client.on("error", () => {}); // Every query of it fails, and it leaves the pool.
  client.on("notice", (notice) => {
    if (notice.code === "01000" || notice.code === "57P01") {
      (client as WatchedClient).commitWarning = notice.message ?? "warning at commit";
    }
  });
}
