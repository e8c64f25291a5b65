/**
 * Claims from limited queues. One at a time for each queue, under the lock of its row, so that what is counted is what there is: slots are
 * the held tasks themselves, and only a claim adds one. Whoever finds the row locked for long comes again. A task whose key is full waits
 * at the gate of its key and lane, out of the claim index, and is claimed from there once the key is looked at and open.
 */
import { type FairTurns, type Id, noTurns } from "@carillon/core";
import {
  accountsOf,
  type Candidate,
  decideLimited,
  eachOf,
  KEYS_A_CALL,
  KEYS_A_SWEEP,
  type KeyState,
  type LimitedDecision,
  type LimitedTypes,
  lanesWithRoom,
  nextToken,
  noTypes,
  type Room,
  reasonToWait,
  roomFor,
} from "../limited-claims.ts";
import { limitsByKey } from "../queue-changes.ts";
import type { Band, LimitedAnswer, LimitFacts, QueueSettings, Store } from "../store.ts";
import { float8Array, int2Array, int4Array, int8Array, textArray } from "./arrays.ts";
import { type NextDueRow, selectNextDue, toNextDue } from "./claim.ts";
import { type ClaimedRow, claimedColumns, milliseconds, toClaimedTasks } from "./claimed-rows.ts";
import { type Db, isDeadlock, isLockTimeout, type Pools, type Statement } from "./db.ts";
import type { Catalog } from "./lanes.ts";
import { type LockedQueue, lockRow, openQueue, takeOver } from "./queues.ts";
import { instant, ms } from "./records.ts";

type Request = Parameters<Store["claimLimited"]>[0];
type Found = Omit<LimitedAnswer, "claimed"> & { rows: ClaimedKeyRow[] };
type ClaimedKeyRow = [...ClaimedRow, key: string | null];

const nothing: Found = {
  mode: "limited",
  rows: [],
  busy: false,
  more: false,
  full: false,
  tokenAt: null,
  keysAt: null,
  sweptTo: null,
  nextDue: [],
  turns: null,
};

export async function claimLimited(pools: Pools, catalog: Catalog, request: Request): Promise<LimitedAnswer> {
  await catalog.learn({ lanes: new Set(request.lanes) });
  const { rows, ...answer } = await find(pools.limited, catalog, request);
  rows.sort((a, b) => a[5] - b[5] || (a[0] < b[0] ? -1 : 1));
  const claimed = await toClaimedTasks(pools.limited, catalog, rows as unknown as ClaimedRow[]);
  return {
    ...answer,
    claimed: claimed.map((task, index) => ({ ...task, concurrencyKey: rows[index]!.at(-1) as string | null })),
  };
}

async function find(db: Db, catalog: Catalog, request: Request): Promise<Found> {
  if (request.lanes.length === 0 || request.limit < 1) return nothing;
  try {
    return await db.transaction((tx) => claimUnderLock(tx, request, (laneId) => catalog.lane(laneId).fair ?? 0));
  } catch (error) {
    if (isLockTimeout(error) || isDeadlock(error)) return { ...nothing, busy: true };
    throw error;
  }
}

/** `fairOf`: the part of a lane. */
async function claimUnderLock(tx: Db, asked: Request, fairOf: (laneId: number) => number): Promise<Found> {
  const { namespace, queue: name, now, limit } = asked;
  tx.query(setPatience, []).catch(() => {}); // Travels with the next statement, which fails with it.
  const locked = await lockRow(tx, namespace, name);
  const mode = locked?.mode ?? "free";
  if (!locked || mode !== "limited") return { ...nothing, mode };
  if (locked.settling) await takeOver(tx, locked);
  const { queue, fullAt } = locked;
  const { settings } = queue;
  const types = await readTypes(tx, asked, settings);
  const request = { ...asked, lanes: lanesWithRoom(settings, asked.lanes, types) };
  if (request.lanes.length === 0) return nothing;
  const room = roomFor(settings, { fullAt, limit, lanes: request.lanes.length, now });
  const turns = request.turns ?? noTurns;
  const accounts = accountsOfLanes(request, settings, turns, fairOf);
  const pending = await readPending(tx, request, settings, room, accounts);
  if (!pending.alive) return nothing;
  const byKey = limitsByKey(settings) || pending.gates;
  const keys = byKey ? await readKeys(tx, request, settings, room, pending, accounts) : noKeys;
  const decision = decideLimited(settings, {
    held: pending.held,
    fullAt,
    free: room.free,
    candidates: [...pending.candidates, ...keys.waiting].map((one) => ({ ...one, fair: fairOf(one.laneId) })),
    keys: keys.states,
    types,
    turns,
    now,
  });
  const open = lanesWithRoom(settings, request.lanes, types, decision.claim);
  const rows = await write(tx, request, locked, keys, decision);
  const claimedAll = decision.claim.length >= Math.min(room.free, (settings.concurrency ?? limit) - pending.held);
  const isFree = !keys.found && (await openQueue(tx, locked));
  const [nextDue, keysAt] = await Promise.all([
    tx.query<NextDueRow>(selectNextDue, [int4Array(open)]),
    tx.query<[number | null]>(selectLookAt, [int4Array(open)]),
  ]);
  return {
    mode: isFree ? "free" : "limited",
    rows,
    busy: false,
    more: !claimedAll && (pending.cut || keys.cut),
    full: decision.full,
    tokenAt: decision.tokenAt,
    keysAt: keysAt[0]![0],
    sweptTo: keys.sweptTo,
    nextDue: nextDue.map(toNextDue),
    turns: decision.turns,
  };
}

async function readTypes(
  tx: Db,
  { namespace, queue, lanes }: Request,
  { concurrencyPerType }: QueueSettings,
): Promise<LimitedTypes> {
  if (concurrencyPerType === undefined) return noTypes;
  const types = Object.entries(concurrencyPerType);
  const rows = await tx.query<[laneId: number, type: string, held: number]>(selectTypes, [
    namespace,
    queue,
    int4Array(lanes),
    textArray(types.map(([type]) => type)),
    int4Array(types.map(([, most]) => most)),
  ]);
  return {
    typeOf: new Map(rows.map(([laneId, type]) => [laneId, type])),
    held: new Map(rows.map(([, type, held]) => [type, held])),
  };
}

/** By lane, for statements; empty where no lane is for tasks with fair keys, since then due order alone decides. */
type Accounts = unknown[];

function accountsOfLanes(
  { lanes }: Request,
  settings: QueueSettings,
  turns: FairTurns,
  fairOf: (laneId: number) => number,
): Accounts {
  const parts = lanes.map(fairOf);
  if (!parts.some((part) => part > 0)) return [];
  const { had, weights } = accountsOf(parts, turns, settings);
  return [int2Array(parts), float8Array(had), float8Array(weights)];
}

/** What a statement tells of a candidate. */
type FoundCandidate = Omit<Candidate, "fair">;

interface Pending {
  alive: boolean;
  held: number;
  candidates: FoundCandidate[];
  /** There may be more than these. */
  cut: boolean;
  /** Tasks may wait for keys. */
  gates: boolean;
}

type PendingRow = [
  alive: boolean,
  held: number,
  gates: boolean,
  id: Id | null,
  laneId: number,
  band: Band,
  dueAt: number,
  key: string | null,
];

async function readPending(
  tx: Db,
  request: Request,
  { concurrency }: QueueSettings,
  room: Room,
  accounts: Accounts,
): Promise<Pending> {
  const rows = await tx.query<PendingRow>(accounts.length > 0 ? selectPendingInTurn : selectPending, [
    request.namespace,
    request.queue,
    int4Array(request.lanes),
    request.now,
    room.each,
    room.most,
    concurrency ?? null,
    request.session,
    room.spare,
    ...accounts,
  ]);
  const [[alive, held, gates]] = rows as [PendingRow];
  const candidates = rows.flatMap(([, , , id, laneId, band, dueAt, key]): FoundCandidate[] =>
    id === null ? [] : [{ id, laneId, band, dueAt: milliseconds(dueAt), key, waits: false }],
  );
  const counts = new Map<string, number>();
  for (const { laneId, band } of candidates)
    counts.set(`${laneId}/${band}`, (counts.get(`${laneId}/${band}`) ?? 0) + 1);
  const each = eachOf(room, concurrency === undefined ? room.each : concurrency - held);
  const cut = candidates.length >= room.most || [...counts.values()].some((count) => count >= each);
  return { alive, held, gates, candidates, cut };
}

interface Keys {
  /** Some gate was there. */
  found: boolean;
  states: Map<string, KeyState>;
  gates: { id: Id; key: string; lookAt: number | null; waits: boolean }[];
  waiting: FoundCandidate[];
  cut: boolean;
  sweptTo: string | null;
}

const noKeys: Keys = { found: false, states: new Map(), gates: [], waiting: [], cut: false, sweptTo: null };

type KeyRow = [
  kind: "key" | "gate" | "task" | "swept",
  id: Id,
  laneId: number,
  band: Band,
  at: number,
  key: string,
  count: number,
];

async function readKeys(
  tx: Db,
  request: Request,
  settings: QueueSettings,
  room: Room,
  pending: Pending,
  accounts: Accounts,
): Promise<Keys> {
  const { namespace, queue, lanes, now, sweepAfter = null } = request;
  const { concurrencyPerKey, rateLimitPerKey } = settings;
  const named = new Set([...request.keys, ...pending.candidates.flatMap(({ key }) => key ?? [])]);
  const each = Math.min(room.most, concurrencyPerKey ?? room.most, rateLimitPerKey?.burst ?? room.most);
  const rows = await tx.query<KeyRow>(accounts.length > 0 ? selectKeysInTurn : selectKeys, [
    namespace,
    queue,
    int4Array(lanes),
    now,
    textArray([...named]),
    sweepAfter,
    concurrencyPerKey ?? null,
    each,
    room.most,
    ...accounts,
  ]);
  const of = (kind: KeyRow[0]) => rows.filter(([which]) => which === kind);
  const gates = of("gate").map(([, id, , , lookAt, key, count]) => ({
    id,
    key,
    lookAt: lookAt as number | null,
    waits: count > 0,
  }));
  const waiting = of("task").map(
    ([, id, laneId, band, dueAt, key]): FoundCandidate => ({ id, laneId, band, dueAt, key, waits: true }),
  );
  const states = new Map(
    of("key").map(([, , , , fullAt, key, held]) => [key, { held, fullAt: fullAt as number | null }]),
  );
  const [[, , , , , lastKey, sweptCount]] = of("swept") as [KeyRow];
  const sweptTo = sweptCount >= KEYS_A_SWEEP ? lastKey : null;
  const dueGates = gates.filter(({ lookAt }) => lookAt !== null && lookAt <= now).length;
  const cut = (waiting.length >= room.most && room.most > 0) || dueGates >= KEYS_A_CALL;
  return { found: gates.length > 0, states, gates, waiting, cut, sweptTo };
}

async function write(
  tx: Db,
  { session, namespace, queue }: Request,
  locked: LockedQueue,
  keys: Keys,
  decision: LimitedDecision,
): Promise<ClaimedKeyRow[]> {
  const { claim, park, fullAt, keyFullAt, lookAt } = decision;
  const writes: Promise<unknown>[] = [];
  const claimed = claim.length > 0 ? tx.query<ClaimedKeyRow>(claimThese, [session, sortedIds(claim)]) : [];
  // Before those that some begin to wait at.
  const empty = keys.gates.filter(({ waits }) => !waits);
  if (empty.length > 0) writes.push(tx.query(dropGates, [int8Array(empty.map(({ id }) => id))]));
  if (park.length > 0) {
    const parked = park.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const at = parked.map(({ key }) => lookAt.get(key!) ?? null);
    writes.push(
      tx.query(parkThese, [
        int8Array(parked.map(({ id }) => id)),
        int4Array(parked.map(({ laneId }) => laneId)),
        textArray(parked.map(({ key }) => key)),
        float8Array(at),
        textArray(at.map(reasonToWait)),
      ]),
    );
  }
  const moved = keys.gates.filter((gate) => gate.waits && lookAt.get(gate.key) !== gate.lookAt);
  if (moved.length > 0) {
    const at = float8Array(moved.map(({ key }) => lookAt.get(key) ?? null));
    writes.push(tx.query(moveGates, [int8Array(moved.map(({ id }) => id)), at]));
  }
  if (keyFullAt.size > 0) {
    const sorted = [...keyFullAt].sort(([a], [b]) => (a < b ? -1 : 1));
    const columns = [textArray(sorted.map(([key]) => key)), float8Array(sorted.map(([, at]) => at))];
    writes.push(tx.query(writeKeyRates, [namespace, queue, ...columns]));
  }
  if (fullAt !== null && fullAt !== locked.fullAt) writes.push(tx.query(writeRate, [namespace, queue, fullAt]));
  const [rows] = await Promise.all([claimed, ...writes]);
  return rows;
}

const sortedIds = (tasks: readonly { id: Id }[]) =>
  int8Array(tasks.map(({ id }) => id).sort((a, b) => (a < b ? -1 : 1)));

export async function limitFacts(
  db: Db,
  namespace: string,
  queue: string,
  { concurrencyKey, type, now, limit }: Parameters<Store["limitFacts"]>[2],
): Promise<LimitFacts> {
  const [[settings, fullAt, keyFullAt] = [null, null, null]] = await db.query<
    [settings: string | null, fullAt: number | null, keyFullAt: number | null]
  >(selectBuckets, [namespace, queue, concurrencyKey]);
  const holders = (statement: Statement, ...which: string[]) =>
    db.query<[Id]>(statement, [namespace, queue, limit, ...which]);
  const [held, keyHeld, typeHeld] = await Promise.all([
    holders(selectHolders),
    concurrencyKey === null ? Promise.resolve([]) : holders(selectKeyHolders, concurrencyKey),
    holders(selectTypeHolders, type),
  ]);
  const { rateLimit, rateLimitPerKey } = (settings === null ? {} : JSON.parse(settings)) as QueueSettings;
  return {
    held: held.map(([id]) => id),
    tokenAt: nextToken(fullAt, rateLimit, now),
    keyHeld: keyHeld.map(([id]) => id),
    keyTokenAt: concurrencyKey === null ? null : nextToken(keyFullAt, rateLimitPerKey, now),
    typeHeld: typeHeld.map(([id]) => id),
  };
}

export async function waitingForKeys(db: Db, laneIds: number[]): Promise<{ laneId: number; tokenAt: number | null }[]> {
  if (laneIds.length === 0) return [];
  const rows = await db.query<[number, number | null]>(selectWaitingLanes, [int4Array(laneIds)]);
  return rows.map(([laneId, tokenAt]) => ({ laneId, tokenAt }));
}

// --------------------------------------------------------------------------------------------------------------- statements

/** It waits for its concurrency key, or for what it calls. */
export const isParked = "(task.state::text = 'waiting' and task.gate_id is distinct from task.schedule_id)";

/** What is changed while it waits there is looked at anew. */
export const unparked = `state = case when ${isParked} then 'pending' else task.state end,
         reason = case when ${isParked} then null else task.reason end,
         gate_id = case when ${isParked} then null else task.gate_id end`;

/** Others hold the row for milliseconds. */
const setPatience: Statement = {
  name: "set_claim_patience",
  text: "select set_config('lock_timeout', '100ms', true)",
};

const key = `(extra ->> 'concurrencyKey') collate "C"`;
const lanesOfQueue = "array(select id from lane where namespace = $1 and queue = $2)";

/** `$4` types with slots of their own, `$5` how many. Answers those of the lanes `$3` that are of these types. */
const selectTypes: Statement = {
  name: "select_limited_types",
  text: `
with types as materialized (
  select x.type, held.count
    from unnest($4::text[], $5::int4[]) as x(type, most)
   cross join lateral (
     select count(*)::int as count
       from (select from task
              where lane_id = any(array(select id from lane where namespace = $1 and queue = $2 and lane.type = x.type))
                and limited and session is not null
              limit x.most) h) held)
select lane.id, types.type, types.count
  from lane join types on types.type = lane.type
 where lane.id = any($3::int4[])`,
};

/**
 * The ids of the first ones that `from` finds, as `found` with its `band`, in the order in which they are due. `inTurn`: with the accounts
 * of their lanes as `lane`, as if those of each part started one after the other (`firstInTurn` says the same).
 */
function firstFound(from: string, limit: string, inTurn: boolean): string {
  const turn = "found.due_at + band.id * interval '1 minute'";
  if (!inTurn) return `select found.id ${from} order by ${turn}, found.id limit ${limit}`;
  return `
  select id
    from (
      select found.id, ${turn} as turn, lane.had, lane.weight,
             row_number() over (partition by lane.fair order by ${turn}, found.id) as place
        ${from}) placed
   order by had + (place - 1) / weight, turn, id
   limit ${limit}`;
}

/** `$10` the part of each lane, `$11` what the part has had, `$12` its weight. */
const accountedLanes = "unnest($3::int4[], $10::int2[], $11::float8[], $12::float8[]) as lane(id, fair, had, weight)";

/**
 * `$3` lanes, `$4` now, `$5` how many of each lane and band and `$6` in all, `$7` the queue's slots, `$9` how many more than are free.
 * Nothing is looked for when they are all taken. One row at least.
 */
const pendingText = (inTurn: boolean) => `
with held as materialized (
  select count(*)::int as count
    from (select from task where lane_id = any(${lanesOfQueue}) and limited and session is not null limit coalesce($7::int, 0)) h),
due as materialized (
  ${firstFound(
    `
    from held
   cross join ${inTurn ? accountedLanes : "unnest($3::int4[]) as lane(id)"}
   cross join (values (1::int2), (2::int2), (3::int2)) as band(id)
   cross join lateral (
     select id, due_at from task
      where lane_id = lane.id and band = band.id and state = 'pending' and due_at <= to_timestamp($4::float8 / 1000)
      order by due_at, id
      limit case when $7::int <= held.count then 0 else least($5::int, $7::int - held.count + $9::int) end) found`,
    "$6::int",
    inTurn,
  )}),
candidates as materialized (
  select id, lane_id, band, date_part('epoch', due_at) as due_at, ${key} as key
    from task
   where id = any(array(select id from due)) and state::text = 'pending'
     for update skip locked)
select exists (select from session where id = $8 and dead_at is null and closed_at is null), held.count,
       exists (select from key_gate where lane_id = any($3::int4[])), candidates.*
  from held left join candidates on true`;

const selectPending: Statement = { name: "select_limited", text: pendingText(false) };
const selectPendingInTurn: Statement = { name: "select_limited_in_turn", text: pendingText(true) };

/**
 * `$5` keys, `$6` after which key a sweep goes on (null: none does), `$7` slots of a key, `$8` how many tasks of a gate and band and `$9`
 * in all. Answers what is known of each key, the gates that were looked at, and tasks that wait there.
 */
const keysText = (inTurn: boolean) => `
with named as materialized (select distinct key from unnest($5::text[]) as named(key)),
swept as materialized (
  select gate.*
    from unnest($3::int4[]) as lane(id)
   cross join lateral (
     select id, lane_id, key, look_at from key_gate
      where $6::text is not null and lane_id = lane.id and key > $6::text collate "C"
      order by key limit ${KEYS_A_SWEEP}) gate
   order by gate.key limit ${KEYS_A_SWEEP}),
gates as materialized (
  select gate.id, gate.lane_id, gate.key, gate.look_at
    from named
   cross join unnest($3::int4[]) as lane(id)
    join key_gate gate on gate.lane_id = lane.id and gate.key = named.key collate "C"
  union
  (select gate.*
     from unnest($3::int4[]) as lane(id)
    cross join lateral (
      select id, lane_id, key, look_at from key_gate
       where lane_id = lane.id and look_at <= ${instant("$4")}
       order by look_at limit ${KEYS_A_CALL}) gate
    order by gate.look_at, gate.key limit ${KEYS_A_CALL})
  union
  select * from swept),
keys as materialized (
  select known.key, held.count, rate.full_at
    from (select key from named union select key from gates) known
   cross join lateral (
     select count(*)::int as count
       from (select from task
              where lane_id = any(${lanesOfQueue}) and ${key} = known.key collate "C" and limited and session is not null
              limit coalesce($7::int, 0)) h) held
    left join key_rate rate on rate.namespace = $1 and rate.queue = $2 and rate.key = known.key),
waiting as materialized (
  ${firstFound(
    `
    from gates
    join keys on keys.key = gates.key
    ${inTurn ? `join ${accountedLanes} on lane.id = gates.lane_id` : ""}
   cross join (values (1::int2), (2::int2), (3::int2)) as band(id)
   cross join lateral (
     select id, due_at from task
      where gate_id = -gates.id and band = band.id and state = 'waiting'
      order by due_at, id
      limit least($8::int, $7::int - keys.count)) found`,
    "$9::int",
    inTurn,
  )}),
locked as materialized (
  select id, lane_id, band, ${ms("due_at")} as due_at, ${key} as key
    from task
   where id = any(array(select id from waiting)) and state::text = 'waiting'
     for update skip locked)
select 'key', null::bigint, null::int, null::int2, full_at, key, count from keys
union all
select 'gate', id, lane_id, null, ${ms("look_at")}, key,
       (exists (select from task where gate_id = -gates.id and state = 'waiting'))::int
  from gates
union all
select 'task', id, lane_id, band, due_at, key, null from locked
union all
select 'swept', null, null, null, null, max(key), count(*)::int from swept`;

const selectKeys: Statement = { name: "select_limited_keys", text: keysText(false) };
const selectKeysInTurn: Statement = { name: "select_limited_keys_in_turn", text: keysText(true) };

/** The ids lead to the rows by their key. A dead session claims nothing. */
const claimThese: Statement = {
  name: "claim_limited",
  text: `
update task t
   set state = 'claimed', session = $1, token = t.token + 1, attempt = t.attempt + 1, limited = true, gate_id = null,
       reason = null
 where t.id = any($2::int8[]) and t.state::text in ('pending', 'waiting')
   and exists (select from session where id = $1 and dead_at is null and closed_at is null)
returning ${claimedColumns}, t.extra ->> 'concurrencyKey'`,
};

/** `$4` when each key is looked at again, `$5` why it waits. */
const parkThese: Statement = {
  name: "park_for_keys",
  text: `
with parked as materialized (
  select * from unnest($1::int8[], $2::int4[], $3::text[], $4::float8[], $5::text[]) as x(id, lane_id, key, look_at, reason)),
gates as (
  insert into key_gate (lane_id, key, look_at)
  select lane_id, key, to_timestamp(min(look_at) / 1000) from parked group by lane_id, key order by lane_id, key
  on conflict (lane_id, key) do update set look_at = excluded.look_at
  returning id, lane_id, key)
update task t
   set state = 'waiting', gate_id = -gates.id, reason = parked.reason
  from parked join gates on gates.lane_id = parked.lane_id and gates.key = parked.key collate "C"
 where t.id = any($1::int8[]) and t.id = parked.id and t.state::text = 'pending'`,
};

const dropGates: Statement = {
  name: "drop_empty_key_gates",
  text: "delete from key_gate where id = any($1::int8[])",
};

const moveGates: Statement = {
  name: "move_key_gates",
  text: `
update key_gate set look_at = to_timestamp(x.look_at / 1000)
  from unnest($1::int8[], $2::float8[]) as x(id, look_at)
 where key_gate.id = any($1::int8[]) and key_gate.id = x.id`,
};

const writeRate: Statement = {
  name: "write_queue_rate",
  text: "update queue set full_at = $3 where namespace = $1 and name = $2",
};

const writeKeyRates: Statement = {
  name: "write_key_rates",
  text: `
insert into key_rate (namespace, queue, key, full_at)
select $1, $2, key, full_at from unnest($3::text[], $4::float8[]) as x(key, full_at)
on conflict (namespace, queue, key) do update set full_at = excluded.full_at`,
};

const selectLookAt: Statement = {
  name: "select_key_look_at",
  text: `
select ${ms("min(first.look_at)")}
  from unnest($1::int4[]) as lane(id)
 cross join lateral (
   select look_at from key_gate where lane_id = lane.id and look_at is not null order by look_at limit 1) first`,
};

const selectWaitingLanes: Statement = {
  name: "select_lanes_waiting_for_keys",
  text: `
select lane.id, ${ms("timed.look_at")}
  from unnest($1::int4[]) as lane(id)
 cross join lateral (select id from key_gate where lane_id = lane.id limit 1) any_gate
  left join lateral (
   select look_at from key_gate where lane_id = lane.id and look_at is not null order by look_at limit 1) timed on true`,
};

const selectBuckets: Statement = {
  name: "select_buckets",
  text: `
select queue.settings, queue.full_at, rate.full_at
  from queue left join key_rate rate on rate.namespace = $1 and rate.queue = $2 and rate.key = $3
 where queue.namespace = $1 and queue.name = $2`,
};

/** All held tasks of the lanes: those that were claimed before the queue was limited, too. */
const holders = (which: string) => `
select id from task where lane_id = any(${lanesOfQueue}) and session is not null${which} order by id + 0 limit $3`;

const selectHolders: Statement = { name: "select_holders", text: holders("") };
const selectTypeHolders: Statement = {
  name: "select_type_holders_of_queue",
  text: holders(" and lane_id in (select id from lane where namespace = $1 and queue = $2 and type = $4)"),
};
const selectKeyHolders: Statement = { name: "select_key_holders_of_queue", text: holders(` and ${key} = $4`) };
