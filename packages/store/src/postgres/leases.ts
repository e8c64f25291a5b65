/** What becomes of leases other than by an outcome: given back, marked as running, adopted, taken back from the dead. */
import type { Id } from "@carillon/core";
import type { ClaimedTask, TaskRef } from "../store.ts";
import { float8Array, int8Array, textArray } from "./arrays.ts";
import { type ClaimedRow, claimedColumns, toClaimedTasks } from "./claimed-rows.ts";
import type { Db, Pools } from "./db.ts";
import { attemptsWith, insertIntoArchive, noteEnded, returned } from "./final.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";

/** How long the leases of a dead session are left to be adopted. */
const ADOPTION_MS = 1_500;

/** @param ended told when ends may have to be told on (`dependencies.ts`) */
export async function giveBack(pools: Pools, session: Id, tasks: TaskRef[], ended: () => void): Promise<Id[]> {
  if (tasks.length === 0) return [];
  const rows = await withPartitions(pools.control, () =>
    pools.outcomes.query<[Id, final: boolean]>(giveBackHeld, [session, ...refs(tasks)]),
  );
  if (rows.some(([, final]) => final)) ended();
  return rows.map(([id]) => id);
}

export async function markRunning(db: Db, tasks: (TaskRef & { startedAt: number; worker: string })[]): Promise<void> {
  if (tasks.length === 0) return;
  await db.query(markHeldRunning, [
    ...refs(tasks),
    float8Array(tasks.map((task) => task.startedAt)),
    textArray(tasks.map((task) => task.worker)),
  ]);
}

export async function adopt(
  db: Db,
  catalog: Catalog,
  session: Id,
  namespace: string,
  tasks: TaskRef[],
): Promise<ClaimedTask[]> {
  if (tasks.length === 0) return [];
  const rows = await db.query<ClaimedRow>(adoptHeld, [session, ...refs(tasks), namespace]);
  rows.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return toClaimedTasks(db, catalog, rows);
}

export async function leases(db: Db, session: Id): Promise<TaskRef[]> {
  const rows = await db.query<[Id, bigint]>(selectLeases, [session]);
  return rows.map(([id, token]) => ({ id, token }));
}

export async function takeBack(pools: Pools, session: Id, request: { now: number; limit: number }): Promise<number> {
  const { now, limit } = request;
  const [row] = await withPartitions(pools.control, () =>
    pools.outcomes.query<[number]>(takeBackHeld, [session, now, now - ADOPTION_MS, limit]),
  );
  await pools.control.query(closeEmptySession, [session, now, now - ADOPTION_MS]);
  return row![0];
}

function refs(tasks: TaskRef[]): [ids: Buffer, tokens: Buffer] {
  return [int8Array(tasks.map((task) => task.id)), int8Array(tasks.map((task) => task.token))];
}

// `t.id = any(…)` leads every statement to its rows by their key; the other conditions are such that no other index seems to serve.
// A statement looks at what it locked (`held`), not at the row as it was when the statement began: a cancel may have come between.

/** `task t` that is held under one of these ids and tokens. */
const isHeld = (ids: string, tokens: string) => `
    from task t
    join unnest(${ids}::int8[], ${tokens}::int8[]) as x(id, token) on x.id = t.id and x.token = t.token
   where t.id = any(${ids}::int8[]) and t.state in ('claimed', 'running')`;

/**
 * CTEs about what has not started and leaves this session (`$1`) under these ids (`$2`) and tokens (`$3`): `held`, and `archived`, what is
 * cancelled with it because somebody asked for that meanwhile. What becomes of the others is the caller's.
 */
export const leaving = `
held as materialized (
  select t.id, t.session = $1 as ours, t.recall is not distinct from 'cancel' as cancelled ${isHeld("$2", "$3")}
   order by t.id
     for update of t),
gone as (
  delete from task t using held
   where t.id = any($2::int8[]) and t.id = held.id and held.ours and held.cancelled
  returning t.*),
archived as (${insertIntoArchive("gone", {
  started_at: "null",
  finished_at: "t.cancel_at",
  state: "'cancelled'",
  attempt: "t.attempt - 1",
  worker: "null",
})}
  returning id),${noteEnded("gone", "'cancelled'")},`;

const giveBackHeld = {
  name: "give_back",
  text: `
with ${leaving}
changed as (
  update task t
     set ${returned}, attempt = t.attempt - 1
    from held
   where t.id = any($2::int8[]) and t.id = held.id and held.ours and not held.cancelled
  returning t.id)
select id, true from archived union all select id, false from changed order by id`,
};

const markHeldRunning = {
  name: "mark_running",
  text: `
with held as materialized (
  select t.id, to_timestamp(x.started_at / 1000) as started_at, x.worker
    from task t
    join unnest($1::int8[], $2::int8[], $3::float8[], $4::text[]) as x(id, token, started_at, worker)
      on x.id = t.id and x.token = t.token
   where t.id = any($1::int8[]) and t.state = 'claimed'
   order by t.id
     for update of t)
update task t
   set state = 'running', started_at = held.started_at, worker = held.worker
  from held
 where t.id = any($1::int8[]) and t.id = held.id`,
};

/** Token and attempt stay: for the worker nothing has happened. A dead session adopts nothing. */
const adoptHeld = {
  name: "adopt",
  text: `
with held as materialized (
  select t.id ${isHeld("$2", "$3")} and t.namespace = $4
     and exists (select from session where id = $1 and dead_at is null and closed_at is null)
   order by t.id
     for update of t)
update task t
   set session = $1
  from held
 where t.id = any($2::int8[]) and t.id = held.id
returning ${claimedColumns}`,
};

const selectLeases = {
  name: "select_leases",
  text: "select id, token from task where session = $1",
};

/** `$2` now, `$3` the instant until which its death must have been noted, `$4` how many. */
const takeBackHeld = {
  name: "take_back",
  text: `
with held as materialized (
  select id, recall is not distinct from 'cancel' as cancelled
    from task
   where session = $1
     and exists (select from session where id = $1 and dead_at <= to_timestamp($3::float8 / 1000))
   order by id + 0 -- Not by the key of the whole table.
   limit $4
     for update),
gone as (
  delete from task t using held
   where t.id = any(array(select id from held)) and t.id = held.id and held.cancelled
  returning t.*),
archived as (${insertIntoArchive("gone", {
    finished_at: "to_timestamp($2::float8 / 1000)",
    state: "'cancelled'",
    attempt: "t.attempt - (t.state = 'claimed')::int",
  })}
  returning id),${noteEnded("gone", "'cancelled'")},
changed as (
  update task t
     set ${returned}, attempt = t.attempt - (t.state = 'claimed')::int,
         attempts = case when t.state = 'claimed' then t.attempts else ${attemptsWith("t", {
           worker: "t.worker",
           startedAt: "t.started_at",
           finishedAt: "to_timestamp($2::float8 / 1000)",
           outcome: "'lost'",
           error: "null::jsonb",
         })} end
    from held
   where t.id = any(array(select id from held)) and t.id = held.id and not held.cancelled
  returning t.id)
select ((select count(*) from archived) + (select count(*) from changed))::int4`,
};

const closeEmptySession = {
  name: "close_empty_session",
  text: `
update session set closed_at = coalesce(closed_at, to_timestamp($2::float8 / 1000))
 where id = $1 and dead_at <= to_timestamp($3::float8 / 1000) and closed_at is null
   and not exists (select from task where session = $1)`,
};
