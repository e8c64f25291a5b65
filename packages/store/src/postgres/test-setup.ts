/** What tests of this folder share: a migrated database of their own, connections like a node's, and rows to begin with. */
import { createIdSource, defaultPolicy, type Id } from "@carillon/core";
import pg from "pg";
import type { NewTask, ScheduleDefinition } from "../store.ts";
import { connectionConfig } from "./connection.ts";
import { openPools } from "./db.ts";
import { insertTasks } from "./insert.ts";
import { createCatalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { createMigratedDatabase } from "./test-migrated.ts";

/** A Wednesday noon. */
export const NOON = Date.UTC(2026, 6, 15, 12);
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

export async function setup() {
  const database = await createMigratedDatabase();
  const pools = await openPools({ connection: database.connectionString });
  const db = pools.control;
  const catalog = createCatalog(db);
  const ids = createIdSource({ cell: 0, slot: 16 });
  const clients: pg.Client[] = [];

  /** A connection beside the pools, for a second session. */
  async function connect(): Promise<pg.Client> {
    const client = new pg.Client(connectionConfig(database.directUrl));
    client.on("error", () => {});
    await client.connect();
    clients.push(client);
    return client;
  }
  const observer = await connect();

  return {
    db,
    pools,
    catalog,
    connect,
    nextId: (now = NOON): Id => ids.next(now),
    async sql<Row extends object = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> {
      return (await observer.query<Row>(text, values)).rows;
    },
    newTask(overrides: Partial<NewTask> = {}): NewTask {
      return {
        id: ids.next(NOON),
        namespace: "default",
        type: "send",
        queue: "default",
        priority: 5,
        dueAt: NOON,
        policy: defaultPolicy,
        payload: null,
        trigger: "api",
        scheduleId: null,
        fireAt: null,
        uniqueKey: null,
        tags: [],
        replayOf: null,
        ...overrides,
      };
    },
    async insert(...tasks: NewTask[]): Promise<void> {
      await withPartitions(db, () => db.transaction((tx) => insertTasks(tx, catalog, tasks)));
    },
    /** A live session of a node. */
    async session(node = "node-1", slot = 16): Promise<Id> {
      const [row] = await this.sql<{ id: Id }>(
        "insert into session (node, slot, opened_at, seen_at) values ($1, $2, to_timestamp($3), to_timestamp($3)) returning id",
        [node, slot, NOON / 1_000],
      );
      return row!.id;
    },
    async claim(id: Id, session: Id): Promise<void> {
      await this.sql(claimText, [id, session]);
    },
    /** Held for more than a second. */
    async run(id: Id, session: Id): Promise<void> {
      await this.claim(id, session);
      await this.sql("update task set state = 'running', started_at = to_timestamp($2), worker = 'w-1' where id = $1", [
        id,
        NOON / 1_000,
      ]);
    },
    /** Final by the hands of a worker that began at noon and took a second. */
    async finish(id: Id, state: "succeeded" | "failed" | "skipped", finishedAt = NOON + 1_000): Promise<void> {
      const columns = `id, due_at, session, token, lane_id, policy_id, attempt, priority, lost, blobs, trigger,
        namespace, schedule_id, fire_at, unique_key, payload, attempts, tags, extra`;
      await withPartitions(db, () =>
        db.query(
          {
            name: "",
            text: `
              with gone as (delete from task where id = $1 returning *)
              insert into archive (${columns}, state, failures, error, started_at, finished_at, worker, result)
              select ${columns}, $2::text::task_state, case when $2::text = 'failed' then 1 else 0 end, $3,
                     to_timestamp($4), to_timestamp($5), 'w-1', '"done"' from gone`,
          },
          [id, state, state === "failed" ? JSON.stringify(handlerError) : null, NOON / 1_000, finishedAt / 1_000],
        ),
      );
    },
    /** Until somebody waits for a lock in this database. */
    async untilBlocked(): Promise<void> {
      for (let blocked = false; !blocked; ) {
        [{ blocked }] = (await this.sql(`
          select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as blocked`)) as [
          { blocked: boolean },
        ];
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.end()));
      await pools.close();
      await database.drop();
    },
  };
}

export type Setup = Awaited<ReturnType<typeof setup>>;

export const handlerError = { code: "handler_error", name: "Error", message: "no", stack: null } as const;

export const claimText = `
  update task set state = 'claimed', session = $2, token = token + 1, attempt = attempt + 1
   where id = $1 and state = 'pending'`;

export function definition(overrides: Partial<ScheduleDefinition["rule"]> = {}): ScheduleDefinition {
  return {
    rule: {
      cron: "* * * * *",
      every: null,
      timeZone: "UTC",
      dialect: "ocps",
      dst: { gap: "next", overlap: "first" },
      jitter: null,
      startAt: null,
      endAt: null,
      maxFires: null,
      ...overrides,
    },
    catchUp: { policy: "last", windowMs: 86_400_000, limit: 100 },
    overlap: "allow",
    task: { type: "report", payload: '{"a":1}', queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] },
  };
}
