/** For tests: a migrated database of their own, stores over it, and sessions beside them. */
import { createIdSource, defaultPolicy, type Id } from "@carillon/core";
import pg from "pg";
import type { TestVersion } from "../embedded/test-database.ts";
import type { ClaimedTask, ClaimTarget, NewTask, Outcome, Store } from "../store.ts";
import { settings } from "./connection.ts";
import { createPostgresStore, type PostgresStoreOptions } from "./store.ts";
import { createDatabaseAlone, createMigratedDatabase } from "./test-migrated.ts";
import { openProxy } from "./test-proxy.ts";

/** A Wednesday noon. */
export const NOON = Date.UTC(2026, 6, 15, 12);

export type TestStore = NonNullable<Awaited<ReturnType<typeof openTestStore>>>;

/** Null: that version of PostgreSQL is not on this machine. `alone`: nobody else is on the server. */
export async function openTestStore({ version = 18 as TestVersion, alone = false } = {}) {
  const database = await (alone ? createDatabaseAlone(version) : createMigratedDatabase({ version }));
  if (!database) return null;
  const { connectionString, directUrl } = database;
  const closers: (() => Promise<unknown>)[] = [];

  async function openStore(options: Partial<PostgresStoreOptions> = {}): Promise<Store> {
    const opened = await createPostgresStore({ connectionString, ...options });
    closers.push(() => opened.close());
    return opened;
  }
  /** A connection of somebody else. */
  async function connect(): Promise<pg.Client> {
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`);
    const config = { connectionString: directUrl, options: options.join(" "), pipeline: true };
    const client = new pg.Client(config as pg.ClientConfig);
    client.on("error", () => {});
    await client.connect();
    closers.push(() => client.end());
    return client;
  }

  const store = await openStore();
  const observer = await connect();
  const ids = createIdSource({ cell: 0, slot: 16 });

  function newTask(overrides: Partial<NewTask> = {}): NewTask {
    return {
      id: ids.next(NOON),
      namespace: "default",
      type: "send",
      queue: "default",
      priority: 5,
      dueAt: NOON,
      policy: defaultPolicy,
      payload: '{"n":1}',
      trigger: "api",
      scheduleId: null,
      fireAt: null,
      uniqueKey: null,
      tags: [],
      replayOf: null,
      ...overrides,
    };
  }
  /** Those of all lanes and bands. */
  async function targets(limit: number): Promise<ClaimTarget[]> {
    const lanes = await store.lanes();
    return lanes.flatMap(({ id }) => ([1, 2, 3] as const).map((band) => ({ laneId: id, band, limit })));
  }

  return {
    connectionString,
    directUrl,
    store,
    openStore,
    connect,
    newTask,
    newTasks: (count: number, overrides: Partial<NewTask> = {}): NewTask[] =>
      Array.from({ length: count }, () => newTask(overrides)),
    targets,
    async sql<Row extends object = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> {
      return (await observer.query<Row>(text, values)).rows;
    },
    async session(node = "node-1"): Promise<Id> {
      return (await store.openSession({ node, url: null, now: NOON })).id;
    },
    async claim(session: Id, limit = 1_000): Promise<ClaimedTask[]> {
      return store.claim({ session, targets: await targets(limit), until: NOON, limit, now: NOON });
    },
    /** Until this many sessions of the database wait for a lock. */
    async untilBlocked(count = 1): Promise<void> {
      for (let blocked = 0; blocked < count; ) {
        const rows = await observer.query(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        blocked = rows.rowCount ?? 0;
      }
    },
    /** Until the query finds that many rows. */
    async until(query: string, count = 1): Promise<void> {
      while (((await observer.query(query)).rowCount ?? 0) < count);
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers.reverse()) await close();
      await database.drop();
    },
  };
}

/** On the PostgreSQL that comes with Carillon. */
export async function setup(options: { alone?: boolean } = {}): Promise<TestStore> {
  return (await openTestStore(options))!;
}

/** A store whose network can go wrong. */
export async function proxied(t: TestStore, options: Partial<PostgresStoreOptions> = {}) {
  const proxy = await openProxy(t.connectionString);
  const store = await createPostgresStore({ connectionString: proxy.connectionString, ...options });
  return {
    ...proxy,
    store,
    async [Symbol.asyncDispose]() {
      proxy.cut();
      await store.close();
      await proxy.close();
    },
  };
}

export function succeeded(task: { id: Id; token: bigint }, overrides: Partial<Outcome> = {}): Outcome {
  return {
    id: task.id,
    token: task.token,
    decision: { kind: "final", state: "succeeded", result: "1", error: null, reason: null },
    startedAt: NOON,
    finishedAt: NOON + 5,
    worker: "w-1",
    lost: false,
    ...overrides,
  };
}

export function failed(task: { id: Id; token: bigint }, overrides: Partial<Outcome> = {}): Outcome {
  const error = { code: "handler_error", name: "Error", message: "no", stack: null } as const;
  return succeeded(task, { decision: { kind: "again", as: "failed", dueAt: NOON + 1_000, error }, ...overrides });
}
