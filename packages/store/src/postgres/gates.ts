/**
 * Gates: where tasks wait for more than their instant. The gate of a schedule keeps its tasks from overlapping. It is judged under the locks
 * of its row and of the schedule's, so that planner, edits and other nodes see all of a judgement or nothing; both are taken with `skip
 * locked` before any task's, so that no judgement waits for them. What occupies the gate is read from the tasks themselves: there is no
 * slot to lose when a node dies.
 */
import { decideOverlap, type Id, type OverlapPolicy, overlapReason } from "@carillon/core";
import type { Gate, JudgedGates, NewTask } from "../store.ts";
import type { Db, Pools, Statement } from "./db.ts";
import { insertIntoArchive } from "./final.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { instant, ms } from "./records.ts";

/** Of each gate; the rest is judged at once afterwards. */
const JUDGED_TASKS = 50;
/** What waits for other tasks looks this often whether they have ended; whoever sees one end looks at once. */
const POLL_MS = 1_000;

export async function gates(db: Db, { until, limit }: { until: number; limit: number }): Promise<Gate[]> {
  const rows = await db.query<[Id, number]>(selectGates, [until, limit]);
  return rows.map(([id, lookAt]) => ({ id, lookAt }));
}

/** In the transaction that inserts them, which holds the lock of their schedules. */
export async function waitAtGates(tx: Db, tasks: readonly NewTask[]): Promise<void> {
  const lookAt = new Map<Id, number>();
  for (const { gateId, dueAt } of tasks) {
    if (gateId) lookAt.set(gateId, Math.min(dueAt, lookAt.get(gateId) ?? dueAt));
  }
  if (lookAt.size > 0) await tx.query(upsertGates, [[...lookAt.keys()], [...lookAt.values()]]);
}

/** For a transaction that is about to change a task of this gate, which it locks afterwards. */
export async function lookAtGateOf(tx: Db, namespace: string, task: Id, now: number): Promise<void> {
  await tx.query(advanceGate, [namespace, task, now]);
}

interface Judged {
  id: Id;
  policy: OverlapPolicy;
  due: DueTask[];
}

interface DueTask {
  id: Id;
  fireAt: number;
}

export async function judgeGates(
  { control }: Pools,
  catalog: Catalog,
  { ids, now }: { ids: Id[]; now: number },
): Promise<JudgedGates> {
  const judged = await withPartitions(control, () => control.transaction((tx) => judge(tx, ids, now)));
  const { lanes, released } = judged;
  await catalog.learn({ lanes });
  return {
    ...judged,
    released: released.map(([laneId, priority, dueAt]) => ({ lane: catalog.lane(laneId), priority, dueAt })),
  };
}

type ReleasedRow = [laneId: number, priority: number, dueAt: number];
type Judgement = Omit<JudgedGates, "released"> & { released: ReleasedRow[]; lanes: Set<number> };

async function judge(tx: Db, ids: Id[], now: number): Promise<Judgement> {
  const judgement: Judgement = { gates: [], released: [], recalled: [], cancelled: [], lanes: new Set() };
  const taken = await tx.query<[Id, OverlapPolicy]>(takeGates, [ids]);
  if (taken.length === 0) return judgement;
  const gates = await withDue(tx, taken, now);
  await cancelPrevious(tx, gates, now, judgement);
  const occupied = await occupiedAmong(tx, gates);

  const run: Id[] = [];
  const wait: Id[] = [];
  const skip: { task: DueTask; policy: OverlapPolicy }[] = [];
  const lookAt = new Map<Id, number>();
  for (const { id, policy, due } of gates) {
    const more = due.length > JUDGED_TASKS;
    const decision = decideOverlap(policy, { occupied: occupied.has(id), due: due.slice(0, JUDGED_TASKS), more });
    run.push(...decision.run.map((task) => task.id));
    wait.push(...decision.wait.map((task) => task.id));
    skip.push(...decision.skip.map((task) => ({ task, policy })));
    if (decision.wait.length > 0) lookAt.set(id, now + POLL_MS);
    if (more && policy !== "queue-all") lookAt.set(id, now);
  }
  if (skip.length > 0) await skipFires(tx, skip, now);
  if (wait.length > 0) await tx.query(markWaiting, [wait]);
  if (run.length > 0) judgement.released = await tx.query<ReleasedRow>(release, [run, now]);
  judgement.lanes = new Set(judgement.released.map(([laneId]) => laneId));
  judgement.gates = await lookAgain(tx, gates, lookAt, now);
  return judgement;
}

async function withDue(tx: Db, taken: [Id, OverlapPolicy][], now: number): Promise<Judged[]> {
  const gates = taken.map(([id, policy]): Judged => ({ id, policy, due: [] }));
  const byId = new Map(gates.map((gate) => [gate.id, gate]));
  const rows = await tx.query<[gate: Id, id: Id, fireAt: number]>(selectDue, [[...byId.keys()], now, JUDGED_TASKS + 1]);
  for (const [gate, id, fireAt] of rows) byId.get(gate)!.due.push({ id, fireAt });
  return gates;
}

/** Before the gates are looked at further: a task that nobody holds is final with this, and occupies nothing any more. */
async function cancelPrevious(tx: Db, gates: Judged[], now: number, { recalled, cancelled }: Judgement): Promise<void> {
  const those = gates.filter(({ policy, due }) => policy === "cancel-previous" && due.length > 0);
  if (those.length === 0) return;
  const reason = overlapReason("cancel-previous");
  const rows = await tx.query<[Id, string, Id | null]>(cancelTasks, [those.map(({ id }) => id), now, reason]);
  for (const [id, namespace, session] of rows) {
    if (session === null) cancelled.push({ id, namespace });
    else recalled.push({ id, session, reason });
  }
}

async function occupiedAmong(tx: Db, gates: Judged[]): Promise<Set<Id>> {
  const waited = gates.filter(({ due }) => due.length > 0).map(({ id }) => id);
  if (waited.length === 0) return new Set();
  return new Set((await tx.query<[Id]>(selectOccupied, [waited])).map(([id]) => id));
}

async function skipFires(tx: Db, skipped: { task: DueTask; policy: OverlapPolicy }[], now: number): Promise<void> {
  const fireAts = skipped.map(({ task }) => task.fireAt);
  await tx.query(skipDue, [
    skipped.map(({ task }) => task.id),
    skipped.map(({ policy }) => overlapReason(policy)),
    Math.min(...fireAts),
    Math.max(...fireAts),
    now,
  ]);
}

async function lookAgain(tx: Db, gates: Judged[], lookAt: Map<Id, number>, now: number): Promise<JudgedGates["gates"]> {
  const values = [gates.map(({ id }) => id), gates.map(({ id }) => lookAt.get(id) ?? null), now];
  const rows = await tx.query<[Id, number | null]>(moveGates, values);
  return rows.map(([id, at]) => ({ id, lookAt: at }));
}

// --------------------------------------------------------------------------------------------------------------- statements

const selectGates: Statement = {
  name: "select_gates",
  text: `select id, ${ms("look_at")} from gate where look_at <= ${instant("$1")} order by look_at limit $2`,
};

const upsertGates: Statement = {
  name: "wait_at_gates",
  text: `
insert into gate (id, look_at)
select id, to_timestamp(look_at / 1000) from unnest($1::bigint[], $2::float8[]) as x(id, look_at) order by id
on conflict (id) do update set look_at = least(gate.look_at, excluded.look_at)`,
};

const advanceGate: Statement = {
  name: "advance_gate",
  text: `
update gate set look_at = least(look_at, ${instant("$3")})
 where id = (select gate_id from task where namespace = $1 and id = $2 and state::text = 'waiting')`,
};

const takeGates: Statement = {
  name: "take_gates",
  text: `
select gate.id, schedule.definition ->> 'overlap'
  from gate join schedule on schedule.id = gate.id
 where gate.id = any($1::bigint[])
 order by gate.id
   for update skip locked`,
};

// Tasks of a schedule are found by its index: asked for by their state, they would be by another one, in no order of fires.

const selectDue: Statement = {
  name: "select_due_at_gates",
  text: `
select gate.id, due.id, due.fire_at
  from unnest($1::bigint[]) as gate(id)
 cross join lateral (
   select id, ${ms("fire_at")} as fire_at from task
    where schedule_id = gate.id and gate_id = gate.id and state::text = 'waiting' and due_at <= ${instant("$2")}
    order by task.fire_at limit $3) due`,
};

const selectOccupied: Statement = {
  name: "select_occupied_gates",
  text: `
select gate.id
  from unnest($1::bigint[]) as gate(id)
 cross join lateral (
   select id from task where schedule_id = gate.id and state::text <> 'waiting' limit 1) other`,
};

/** `$2` now, `$3` why. Those that are held already know of it are left alone. */
const cancelTasks: Statement = {
  name: "cancel_tasks_of_schedules",
  text: `
with found as materialized (
  select id, session
    from task
   where schedule_id = any($1::bigint[]) and state::text <> 'waiting'
   order by id + 0 -- Not by the key of the whole table.
     for update),
gone as (
  delete from task using found
   where task.id = any(array(select id from found)) and task.id = found.id and found.session is null
  returning task.*),
archived as (${insertIntoArchive("gone", {
    finished_at: instant("$2"),
    state: "'cancelled'",
    cancel_at: instant("$2"),
    reason: "$3::text",
  })}
  returning id, namespace),
asked as (
  update task set recall = 'cancel', cancel_at = ${instant("$2")}, reason = $3
    from found
   where task.id = any(array(select id from found)) and task.id = found.id and found.session is not null
     and task.recall is distinct from 'cancel'
  returning task.id, task.namespace, task.session)
select id, namespace, session from asked
union all select id, namespace, null from archived
 order by id`,
};

/** `$1` tasks, `$2` the reason of each, `$3` and `$4` the first and the last of their fires, which lead to the partitions, `$5` now. */
const skipDue: Statement = {
  name: "skip_due_fires",
  text: `
with gone as (
  delete from task
   using unnest($1::bigint[], $2::text[]) as x(id, reason)
   where task.id = any($1::bigint[]) and task.id = x.id and task.state::text = 'waiting'
  returning task.id, task.schedule_id, task.fire_at, x.reason),
fires as (
  update fire set outcome = 'skipped', task_id = null, reason = gone.reason
    from gone
   where fire.schedule_id = gone.schedule_id and fire.fire_at = gone.fire_at and fire.task_id = gone.id
     and fire.fire_at between ${instant("$3")} and ${instant("$4")})
update schedule
   set fires = schedule.fires - counted.fires,
       -- A rule that ends after so many tasks goes on for another one.
       planned_until = case when definition #>> '{rule,maxFires}' is null then planned_until
                            else least(planned_until, ${instant("$5")}) end
  from (select schedule_id, count(*) as fires from gone group by schedule_id) counted
 where schedule.id = counted.schedule_id`,
};

const markWaiting: Statement = {
  name: "mark_waiting",
  text: `
update task set reason = 'overlap' where id = any($1::bigint[]) and state::text = 'waiting' and reason is distinct from 'overlap'`,
};

/** One that had to wait is due from now on: lateness is what comes on top of its schedule's policy. */
const release: Statement = {
  name: "release_waiting",
  text: `
update task
   set state = 'pending', reason = null,
       due_at = case when reason = 'overlap' then greatest(due_at, ${instant("$2")}) else due_at end
 where id = any($1::bigint[]) and state::text = 'waiting'
returning lane_id, priority, ${ms("due_at")}`,
};

/** `$2`: when each is looked at in any case; null: when the next task there is due. One where nothing waits is gone. */
const moveGates: Statement = {
  name: "move_gates",
  text: `
with next as materialized (
  select x.id, least(to_timestamp(x.look_at / 1000), due.at) as look_at
    from unnest($1::bigint[], $2::float8[]) as x(id, look_at)
   cross join lateral (
     select min(due_at) as at from task
      where gate_id = x.id and state = 'waiting' and due_at > ${instant("$3")}) due),
gone as (
  delete from gate using next where gate.id = any($1::bigint[]) and gate.id = next.id and next.look_at is null),
moved as (
  update gate set look_at = next.look_at from next
   where gate.id = any($1::bigint[]) and gate.id = next.id and next.look_at is not null)
select id, ${ms("look_at")} from next order by id`,
};
