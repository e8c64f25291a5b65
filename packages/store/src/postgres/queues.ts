/**
 * What people set on queues. Each lane of a queue carries a copy of its mode, by which claims go. A write takes the lock of the queue's
 * name, which whoever makes a lane shares, then the row, which whoever claims from a limited queue locks.
 *
 * A queue is limited or paused in two steps. After the first, claims that begin pass its lanes over. The second locks the lanes, which every
 * claim that is on its way holds: it waits for those, so that what they took counts. Whoever wrote the first does the second at once; should
 * it die in between, the next one to claim there or to change the queue does it, and nothing starts before.
 */
import { type RateLimit, underRate } from "@carillon/core";
import { changedQueue, modeOf, type QueueRequest } from "../queue-changes.ts";
import type { Page, QueueMode, QueueRecord, QueueSettings, Store } from "../store.ts";
import { int4Array } from "./arrays.ts";
import type { Db, Statement } from "./db.ts";
import { instant, ms } from "./records.ts";

type PutRequest = Parameters<Store["putQueue"]>[0];
type PutAnswer = Awaited<ReturnType<Store["putQueue"]>>;

export const queueModes = ["free", "limited", "paused"] as const satisfies readonly QueueMode[];

/** A queue's row, locked. */
export interface LockedQueue {
  queue: QueueRecord;
  mode: QueueMode;
  /** The second step is still to be done. */
  settling: boolean;
  /** Of the bucket of its rate limit. */
  fullAt: number | null;
}

export async function getQueue(db: Db, namespace: string, name: string): Promise<QueueRecord | null> {
  const [row] = await db.query(selectQueue, [namespace, name]);
  return row ? toQueue(row) : null;
}

export async function listQueues(
  db: Db,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Promise<Page<QueueRecord>> {
  const rows = await db.query(selectQueues, [namespace, after, pageSize + 1]);
  const items = rows.slice(0, pageSize).map(toQueue);
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

export async function allQueues(db: Db): Promise<(QueueRecord & { mode: QueueMode })[]> {
  const rows = await db.query(selectAllQueues, []);
  return rows.map((row) => ({ ...toQueue(row), mode: queueModes[row[columnCount] as number]! }));
}

export async function putQueue(db: Db, { expect, ...request }: PutRequest): Promise<PutAnswer> {
  const { namespace, name } = request;
  const answer = await db.transaction(async (tx): Promise<PutAnswer> => {
    const before = await lockQueue(tx, namespace, name);
    if (expect !== undefined && expect !== (before?.queue.version ?? 0)) return { kind: "version_mismatch" };
    const queue = await writeChange(tx, before, request);
    if (!queue) return { kind: "unchanged", queue: before!.queue };
    return { kind: before ? "changed" : "created", queue };
  });
  if (answer.kind !== "version_mismatch") await settle(db, answer.queue);
  return answer;
}

export async function setQueuePaused(
  db: Db,
  namespace: string,
  name: string,
  request: { paused: boolean; reason: string | null; by?: string | null; now: number },
): Promise<QueueRecord> {
  const queue = await db.transaction(async (tx) => {
    const before = await lockQueue(tx, namespace, name);
    return (await writeChange(tx, before, { namespace, name, ...request })) ?? before!.queue;
  });
  await settle(db, queue);
  return queue;
}

/** The second step, unless it is done. */
async function settle(db: Db, { namespace, name, paused, settings }: QueueRecord): Promise<void> {
  // One that nobody limits needs none.
  if (modeOf({ paused, settings }, false) === "free") return;
  await db.transaction(async (tx) => {
    const locked = await lockRow(tx, namespace, name);
    if (locked?.settling) await takeOver(tx, locked);
  });
}

/** What others claimed before counts from now on, and what of it has not started goes back, to be claimed as is now allowed. */
export async function takeOver(tx: Db, { queue: { namespace, name } }: LockedQueue): Promise<void> {
  const lanes = await tx.query<[number]>(lockLanes, [namespace, name]);
  await tx.query(takeOverHeld, [int4Array(lanes.map(([id]) => id))]);
  await tx.query(setSettled, [namespace, name]);
}

/** Once nothing limits it and nothing waits for a key any more: whoever likes claims from it from now on. */
export async function openQueue(tx: Db, { queue, mode }: LockedQueue): Promise<boolean> {
  const { namespace, name } = queue;
  if (mode !== "limited" || modeOf(queue, false) !== "free") return false;
  const [[waiting]] = (await tx.query<[boolean]>(selectWaiting, [namespace, name])) as [[boolean]];
  if (waiting) return false;
  const [[alone]] = (await tx.query<[boolean]>(tryLockName, [namespace, name])) as [[boolean]];
  if (!alone) return false;
  await tx.query(setMode, [namespace, name, queueModes.indexOf("free")]);
  await changeLanes(tx, queue, "free");
  return true;
}

async function lockQueue(tx: Db, namespace: string, name: string): Promise<LockedQueue | null> {
  await tx.query(lockName, [namespace, name]);
  return lockRow(tx, namespace, name);
}

/** Null: there is none. */
export async function lockRow(tx: Db, namespace: string, name: string): Promise<LockedQueue | null> {
  const [row] = await tx.query(lockQueueRow, [namespace, name]);
  if (!row) return null;
  const [mode, settling, fullAt] = row.slice(columnCount) as [number, boolean, number | null];
  return { queue: toQueue(row), mode: queueModes[mode]!, settling, fullAt };
}

/** Null: it is so already. */
async function writeChange(
  tx: Db,
  before: LockedQueue | null,
  request: QueueRequest & { namespace: string; name: string },
): Promise<QueueRecord | null> {
  const { now } = request;
  const queue = changedQueue(before?.queue ?? null, request, request);
  if (!queue) return null;
  const { namespace, name, settings } = queue;
  const was = before?.queue.settings ?? {};
  const [[waiting]] = (await tx.query<[boolean]>(selectWaiting, [namespace, name])) as [[boolean]];
  const mode = modeOf(queue, waiting);
  const wasFree = (before?.mode ?? "free") === "free";
  const settling = mode !== "free" && (wasFree || before!.settling || (mode === "paused" && before!.mode !== "paused"));
  const fullAt = carriedOver(before?.fullAt ?? null, was.rateLimit, settings.rateLimit, now);
  await tx.query(writeQueue, [
    namespace,
    name,
    queue.version,
    JSON.stringify(settings),
    queue.paused,
    queue.pause && JSON.stringify(queue.pause),
    queueModes.indexOf(mode),
    fullAt,
    queue.createdAt,
    queue.updatedAt,
    settling,
  ]);
  await changeKeyRates(tx, queue, was, now);
  if (mode !== (before?.mode ?? "free")) await changeLanes(tx, queue, mode);
  return queue;
}

function carriedOver(
  fullAt: number | null,
  before: RateLimit | undefined,
  after: RateLimit | undefined,
  now: number,
): number | null {
  return before && after ? underRate(fullAt, before, after, now) : null;
}

async function changeKeyRates(
  tx: Db,
  { namespace, name, settings: { rateLimitPerKey: after } }: QueueRecord,
  { rateLimitPerKey: before }: QueueSettings,
  now: number,
): Promise<void> {
  if (!before || JSON.stringify(before) === JSON.stringify(after)) return;
  if (!after) await tx.query(dropKeyRates, [namespace, name]);
  else {
    const rates = [before, after].flatMap(({ limit, perMs, burst }) => [perMs / limit, burst]);
    await tx.query(convertKeyRates, [namespace, name, now, ...rates]);
  }
}

async function changeLanes(tx: Db, { namespace, name }: QueueRecord, mode: QueueMode): Promise<void> {
  const lanes = await tx.query<[number]>(holdLanes, [namespace, name]);
  if (lanes.length === 0) return;
  const ids = int4Array(lanes.map(([id]) => id));
  await tx.query(setModes, [ids, queueModes.indexOf(mode)]);
  if (mode === "free") await tx.query(dropGates, [ids]);
}

// --------------------------------------------------------------------------------------------------------------- statements

const columns = `namespace, name, version, settings, paused, pause, ${ms("created_at")}, ${ms("updated_at")}`;
const columnCount = 8;

/** In the order of `columns`; what follows is the caller's. */
function toQueue(row: unknown[]): QueueRecord {
  const [namespace, name, version, settings, paused, pause, createdAt, updatedAt] = row as [
    string,
    string,
    number,
    string,
    boolean,
    string | null,
    number,
    number,
  ];
  return {
    namespace,
    name,
    version,
    settings: JSON.parse(settings) as QueueSettings,
    paused,
    pause: pause === null ? null : (JSON.parse(pause) as QueueRecord["pause"]),
    createdAt,
    updatedAt,
  };
}

const selectQueue: Statement = {
  name: "select_queue",
  text: `select ${columns} from queue where namespace = $1 and name = $2`,
};

const selectQueues: Statement = {
  name: "select_queues",
  text: `select ${columns} from queue where namespace = $1 and ($2::text is null or name > $2) order by name limit $3`,
};

const selectAllQueues: Statement = {
  name: "select_all_queues",
  text: `select ${columns}, mode from queue order by namespace, name`,
};

/** As the trigger of `lane`, which shares it. */
const lockName: Statement = {
  name: "lock_queue_name",
  text: "select pg_advisory_xact_lock(hashtextextended($1::text || '/' || $2::text, 11))",
};

const tryLockName: Statement = {
  name: "try_lock_queue_name",
  text: "select pg_try_advisory_xact_lock(hashtextextended($1::text || '/' || $2::text, 11))",
};

const setMode: Statement = {
  name: "set_queue_mode",
  text: "update queue set mode = $3 where namespace = $1 and name = $2",
};

const lockQueueRow: Statement = {
  name: "lock_queue",
  text: `select ${columns}, mode, settling, full_at from queue where namespace = $1 and name = $2 for update`,
};

const writeQueue: Statement = {
  name: "write_queue",
  text: `
insert into queue (namespace, name, version, settings, paused, pause, mode, full_at, created_at, updated_at, settling)
values ($1, $2, $3, $4::jsonb, $5, $6::jsonb, $7, $8, ${instant("$9")}, ${instant("$10")}, $11)
on conflict (namespace, name) do update
   set version = excluded.version, settings = excluded.settings, paused = excluded.paused, pause = excluded.pause,
       mode = excluded.mode, settling = excluded.settling, full_at = excluded.full_at, updated_at = excluded.updated_at`,
};

const selectWaiting: Statement = {
  name: "select_queue_waits_for_keys",
  text: `
select exists (
  select from lane
    join key_gate on key_gate.lane_id = lane.id
   cross join lateral (select from task where gate_id = -key_gate.id and state = 'waiting' limit 1) waits
   where lane.namespace = $1 and lane.queue = $2)`,
};

const dropKeyRates: Statement = {
  name: "drop_key_rates",
  text: "delete from key_rate where namespace = $1 and queue = $2",
};

/** `$4` and `$5`: what a token of the old limit takes, in milliseconds, and how many there may be; `$6` and `$7` of the new one. */
const convertKeyRates: Statement = {
  name: "convert_key_rates",
  text: `
update key_rate
   set full_at = $3::float8 + greatest(0, $7::float8 - ($5::float8 - (full_at - $3::float8) / $4::float8)) * $6::float8
 where namespace = $1 and queue = $2 and full_at > $3::float8`,
};

/** Against others who change them; claims do not mind. */
const holdLanes: Statement = {
  name: "hold_lanes",
  text: "select id from lane where namespace = $1 and queue = $2 order by id for no key update",
};

/** Claims that hold them end first; none begins any more. */
const lockLanes: Statement = {
  name: "lock_lanes",
  text: "select id from lane where namespace = $1 and queue = $2 order by id for update",
};

const setModes: Statement = {
  name: "set_lane_modes",
  text: "update lane set mode = $2 where id = any($1::int[])",
};

/** Where nothing waits any more. */
const dropGates: Statement = {
  name: "drop_key_gates",
  text: "delete from key_gate where lane_id = any($1::int[])",
};

const setSettled: Statement = {
  name: "set_queue_settled",
  text: "update queue set settling = false where namespace = $1 and name = $2",
};

const takeOverHeld: Statement = {
  name: "take_over_held",
  text: `
with held as materialized (
  select id
    from task
   where session is not null and lane_id = any($1::int4[])
   order by id + 0 -- Not by the key of the whole table.
     for update)
update task t
   set limited = true, recall = case when t.state::text = 'claimed' then coalesce(t.recall, 'return') else t.recall end
 where t.id = any(array(select id from held))`,
};
