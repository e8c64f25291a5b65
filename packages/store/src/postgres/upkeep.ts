/** What one node at a time does for all: partitions ahead, and forgetting what is past its retention. */
import { firstIdAt } from "@carillon/core";
import type pg from "pg";
import { type Db, isLockTimeout, type Pools, sqlState, translate } from "./db.ts";
import { LATENESS_KEPT_MS } from "./lateness.ts";
import {
  createPartition,
  DAY_MS,
  dayOf,
  type PartitionedTable,
  partitionedTables,
  partitionName,
} from "./partitions.ts";
import { deleteQuietTargets } from "./targets.ts";

const DAYS_AHEAD = 14;
/** The ledger of fires outlives the tasks. */
const FIRE_RETENTIONS = 4;
/** Those that are well. */
const TARGETS_KEPT_MS = DAY_MS;
/** By the clock of every node, whatever they differ by. */
const FULL_FOR_MS = 60_000;
/** Any constant that no other program uses. */
const LOCK = 0x4d41494e;

export interface UpkeepRequest {
  now: number;
  retentionMs: number;
  logRetentionMs: number;
}

export async function maintain(pools: Pools, request: UpkeepRequest): Promise<void> {
  // Behind a pooler no lock outlasts its transaction. It only saves work: each step stands being taken twice.
  if (!pools.keepsSession) return await keepUp(pools, (name) => dropAtOnce(pools.control, name), request);
  const client = await pools.connect();
  try {
    const locked = await client.query("select pg_try_advisory_lock($1) as locked", [LOCK]);
    if (!locked.rows[0].locked) return;
    // Long readers keep a partition; it goes another time, rather than that everybody waits behind us.
    await client.query("set lock_timeout = '200ms'");
    await keepUp(pools, (...partition) => detachAndDrop(client, ...partition), request);
  } catch (error) {
    throw translate(error);
  } finally {
    await client.end(); // Which frees the lock.
  }
}

async function keepUp(pools: Pools, drop: DropPartition, request: UpkeepRequest): Promise<void> {
  await makePartitionsAhead(pools.control, request.now);
  await dropOldPartitions(pools, drop, request);
  await deleteInBatches(pools.control, deleteExpiredKeys, request.now);
  await deleteInBatches(pools.control, deleteEndedWindows, request.now);
  await deleteInBatches(pools.control, deleteFullBuckets, request.now - FULL_FOR_MS);
  await deleteInBatches(pools.control, deleteOldLateness, request.now - LATENESS_KEPT_MS);
  const oldest = request.now - request.retentionMs;
  await deleteInBatches(pools.control, deleteOldProgress, oldest, { more: [firstIdAt(oldest)] });
  await deleteInBatches(pools.control, deleteOldOperations, request.now - request.retentionMs);
  await deleteInBatches(pools.control, deleteOldWorkflows, request.now - request.retentionMs, {
    batch: WORKFLOWS_BATCH,
  });
  await deleteInBatches(pools.control, deleteOldZoneChanges, request.now - FIRE_RETENTIONS * request.retentionMs);
  await deleteInBatches(pools.control, deleteQuietTargets, request.now - TARGETS_KEPT_MS);
  await deleteInBatches(pools.control, deleteOldSessions, request.now - request.retentionMs);
}

async function makePartitionsAhead(db: Db, now: number): Promise<void> {
  const present = new Set((await db.query<[string]>(selectPartitions, [])).map(([name]) => name));
  for (const table of partitionedTables) {
    // Yesterday too: what was finished before midnight may be written after.
    for (let days = -1; days <= DAYS_AHEAD; days++) {
      const day = dayOf(now) + days * DAY_MS;
      if (!present.has(partitionName(table, day))) await createPartition(db, table, day);
    }
  }
}

async function dropOldPartitions({ control: db, log }: Pools, drop: DropPartition, request: UpkeepRequest) {
  const keptFrom: Record<PartitionedTable, number> = {
    archive: request.now - request.retentionMs,
    blob: request.now - request.retentionMs,
    log_line: request.now - request.logRetentionMs,
    fire: request.now - FIRE_RETENTIONS * request.retentionMs,
  };
  for (const [name, attached, detaching] of await db.query<[string, boolean, boolean]>(selectPartitions, [])) {
    const table = partitionedTables.find((table) => name.startsWith(`${table}_`))!;
    const day = dayOfName(name);
    if (day === null || day + DAY_MS > keptFrom[table]) continue;
    if (table === "blob" && (await isNeeded(db, day))) continue;
    if (table === "fire" && (await isBackfilled(db, day, keptFrom.fire))) continue;
    try {
      await drop(name, table, detaching ? "detaching" : attached ? "attached" : "detached");
    } catch (error) {
      if (!isLockTimeout(error) && sqlState(error) !== "55P03") throw error;
      log(`The partition ${name} is past its retention, but in use; it goes another time.`);
    }
  }
}

type DropPartition = (
  name: string,
  table: PartitionedTable,
  state: "attached" | "detaching" | "detached",
) => Promise<unknown>;

/** Keeps nobody from reading and writing the other partitions. */
async function detachAndDrop(client: pg.Client, ...[name, table, state]: Parameters<DropPartition>): Promise<void> {
  // An attempt that ran out of time has left it half detached.
  if (state === "detaching") await client.query(`alter table ${table} detach partition ${name} finalize`);
  else if (state === "attached") await client.query(`alter table ${table} detach partition ${name} concurrently`);
  await client.query(`drop table ${name}`);
}

/** For a moment others wait for the table as a whole, since only that can be done in a transaction. */
function dropAtOnce(db: Db, name: string): Promise<void> {
  return db.transaction(async (tx) => {
    await tx.query({ name: "", text: "set local lock_timeout = '200ms'" }, []);
    await tx.query({ name: "", text: `drop table if exists ${name}` }, []);
  });
}

/** Payloads lie by their task's creation; a task may wait for months, and be final for as long as is retained. */
async function isNeeded(db: Db, day: number): Promise<boolean> {
  const [[needed]] = (await db.query<[boolean]>(blobsAreNeeded, [firstIdAt(day), firstIdAt(day + DAY_MS)], {
    deadlineMs: 60_000,
  })) as [[boolean]];
  return needed;
}

/** Fires that became tasks long after their instant are remembered from then on: by their tasks' ids, which are in order of creation. */
async function isBackfilled(db: Db, day: number, keptFrom: number): Promise<boolean> {
  const [[backfilled]] = (await db.query<[boolean]>(fireIsBackfilled, [firstIdAt(keptFrom), day, day + DAY_MS])) as [
    [boolean],
  ];
  return backfilled;
}

function dayOfName(name: string): number | null {
  const digits = name.match(/_(\d{4})(\d\d)(\d\d)$/);
  return digits ? Date.UTC(Number(digits[1]), Number(digits[2]) - 1, Number(digits[3])) : null;
}

/** Batches, so that no transaction is long. */
async function deleteInBatches(
  db: Db,
  statement: { name: string; text: string },
  until: number,
  { batch = BATCH, more = [] as unknown[] } = {},
): Promise<void> {
  for (;;) {
    const deleted = await db.query(statement, [until, batch, ...more]);
    if (deleted.length < batch) return;
  }
}
const BATCH = 1_000;
/** Each with up to 10,000 rows more. */
const WORKFLOWS_BATCH = 10;

/** Detached ones too, which an attempt to drop has left behind. */
const selectPartitions = {
  name: "select_partitions",
  text: `
select c.relname::text, i.inhrelid is not null, coalesce(i.inhdetachpending, false)
  from pg_class c
  left join pg_inherits i on i.inhrelid = c.oid
 where c.relnamespace = (select relnamespace from pg_class where oid = 'task'::regclass) and c.relkind = 'r'
   and c.relname ~ '^(${partitionedTables.join("|")})_[0-9]{8}$'
 order by c.relname`,
};

const blobsAreNeeded = {
  name: "blobs_are_needed",
  text: `
select exists (select from task where id >= $1 and id < $2 and blobs & 3 <> 0)
    or exists (select from archive where id >= $1 and id < $2 and blobs & 3 <> 0)`,
};

const fireIsBackfilled = {
  name: "fire_is_backfilled",
  text: `
select exists (
  select from fire
   where backfilled and task_id >= $1
     and fire_at >= to_timestamp($2::float8 / 1000) and fire_at < to_timestamp($3::float8 / 1000))`,
};

const deleteOldOperations = {
  name: "delete_old_operations",
  text: `
delete from operation
 where id in (
   select id from operation
    where state <> 'running' and finished_at < to_timestamp($1::float8 / 1000)
    order by finished_at
    limit $2
      for update skip locked)
returning 1`,
};

const deleteOldWorkflows = {
  name: "delete_old_workflows",
  text: `
with gone as (
  delete from workflow
   where id in (
     select id from workflow
      where finished_at < to_timestamp($1::float8 / 1000)
      order by finished_at
      limit $2
        for update skip locked)
  returning id),
members as (
  delete from workflow_task using gone where workflow_task.workflow_id = gone.id)
select 1 from gone`,
};

const deleteExpiredKeys = {
  name: "delete_expired_keys",
  text: `
delete from idempotency
 where (namespace, key) in (
   select namespace, key from idempotency
    where expires_at <= to_timestamp($1::float8 / 1000)
    order by expires_at
    limit $2
      for update skip locked)
returning 1`,
};

const deleteEndedWindows = {
  name: "delete_ended_windows",
  text: `
delete from unique_window
 where (namespace, unique_key) in (
   select namespace, unique_key from unique_window
    where expires_at <= to_timestamp($1::float8 / 1000)
    order by expires_at
    limit $2
      for update skip locked)
returning 1`,
};

/** A bucket that is full needs no row. */
const deleteFullBuckets = {
  name: "delete_full_buckets",
  text: `
delete from key_rate
 where (namespace, queue, key) in (
   select namespace, queue, key from key_rate
    where full_at <= $1::float8
    order by full_at
    limit $2
      for update skip locked)
returning 1`,
};

const deleteOldLateness = {
  name: "delete_old_lateness",
  text: `
delete from lateness
 where (namespace, at, queue, writer) in (
   select namespace, at, queue, writer from lateness
    where at < to_timestamp($1::float8 / 1000)
    order by at
    limit $2
      for update skip locked)
returning 1`,
};

/** `$3`: the first id that a task created then would have; what reports for longer than tasks are kept is passed over. */
const deleteOldProgress = {
  name: "delete_old_progress",
  text: `
delete from progress
 where task_id in (
   select task_id from progress
    where task_id < $3 and at < to_timestamp($1::float8 / 1000)
    order by task_id
    limit $2
      for update skip locked)
returning 1`,
};

const deleteOldZoneChanges = {
  name: "delete_old_zone_changes",
  text: `
delete from zone_change
 where id in (
   select id from zone_change
    where at < to_timestamp($1::float8 / 1000)
    order by at
    limit $2
      for update skip locked)
returning 1`,
};

const deleteOldSessions = {
  name: "delete_old_sessions",
  text: `
delete from session
 where id in (
   select id from session where closed_at < to_timestamp($1::float8 / 1000) order by id limit $2 for update skip locked)
returning 1`,
};
