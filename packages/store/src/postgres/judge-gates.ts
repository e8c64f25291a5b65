/**
 * Gates: where tasks wait for more than their instant. The gate of a schedule keeps its tasks from overlapping. It is judged under the locks
 * of its row and of the schedule's, so that planner, edits and other nodes see all of a judgement or nothing; both are taken with `skip
 * locked` before any task's, so that no judgement waits for them. What occupies the gate is read from the tasks themselves: there is no
 * slot to lose when a node dies.
 */
import { decideOverlap, failuresReason, type Id, NEVER_AGAIN, type OverlapPolicy, overlapReason } from "@carillon/core";
import type { JudgedGates } from "../store.ts";
import type { Db, Pools, Statement } from "./db.ts";
import { insertIntoArchive, noteEnded } from "./final.ts";
import { previousFires } from "./fires.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { instant, ms } from "./records.ts";
import { lockSchedules, pauseSchedule } from "./schedules.ts";

/** Of each gate; the rest is judged at once afterwards. */
const JUDGED_TASKS = 50;
/** What waits for other tasks looks this often whether they have ended; whoever sees one end looks at once. */
const POLL_MS = 1_000;
/** So does a schedule that goes on when its task has ended, whose next fire is at least a second away. */
const WATCH_MS = 5_000;

interface Judged {
  id: Id;
  policy: OverlapPolicy;
  /** Its next fire comes after an end. */
  delayed: boolean;
  pauseAfter: number | null;
  due: DueTask[];
}

type TakenRow = [id: Id, policy: OverlapPolicy, delayed: boolean, pauseAfter: number | null];

interface DueTask {
  id: Id;
  fireAt: number;
}

export async function judgeGates(
  { control }: Pools,
  catalog: Catalog,
  { ids, now }: { ids: Id[]; now: number },
): Promise<JudgedGates> {
  const { released, ...judged } = await withPartitions(control, () => control.transaction((tx) => judge(tx, ids, now)));
  await catalog.learn({ lanes: new Set(released.map(([laneId]) => laneId)) });
  return {
    ...judged,
    released: released.map(([laneId, priority, dueAt]) => ({ lane: catalog.lane(laneId), priority, dueAt })),
  };
}

type ReleasedRow = [laneId: number, priority: number, dueAt: number];
type Judgement = Omit<JudgedGates, "released"> & { released: ReleasedRow[] };

async function judge(tx: Db, ids: Id[], now: number): Promise<Judgement> {
  const judgement: Judgement = {
    gates: [],
    released: [],
    recalled: [],
    cancelled: [],
    paused: [],
    replan: false,
  };
  const taken = await tx.query<TakenRow>(takeGates, [ids]);
  if (taken.length === 0) return judgement;
  const gates = taken.map(
    ([id, policy, delayed, pauseAfter]): Judged => ({ id, policy, delayed, pauseAfter, due: [] }),
  );
  judgement.paused = await pauseFailing(tx, gates, now);
  await readDue(tx, gates, now);
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
  const ended = await watchEnds(tx, gates, lookAt, now);
  await watchFailures(tx, gates, lookAt, now);
  judgement.replan = ended || judgement.paused.length > 0;
  judgement.gates = await lookAgain(tx, gates, lookAt, now);
  return judgement;
}

async function readDue(tx: Db, gates: Judged[], now: number): Promise<void> {
  const byId = new Map(gates.map((gate) => [gate.id, gate]));
  const rows = await tx.query<[gate: Id, id: Id, fireAt: number]>(selectDue, [[...byId.keys()], now, JUDGED_TASKS + 1]);
  for (const [gate, id, fireAt] of rows) byId.get(gate)!.due.push({ id, fireAt });
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

/** Where the end has come, the planner goes on from it. */
async function watchEnds(tx: Db, gates: Judged[], lookAt: Map<Id, number>, now: number): Promise<boolean> {
  const delayed = gates.filter((gate) => gate.delayed).map(({ id }) => id);
  if (delayed.length === 0) return false;
  const previous = await previousFires(tx, delayed);
  const open = (id: Id) => previous.get(id)?.open === true;
  for (const id of delayed) if (open(id)) lookAt.set(id, Math.min(now + WATCH_MS, lookAt.get(id) ?? now + WATCH_MS));
  const ended = delayed.filter((id) => !open(id));
  if (ended.length === 0) return false;
  const ends = ended.map((id) => previous.get(id)?.endedAt ?? now);
  return (await tx.query(planAfterEnds, [ended, ends, NEVER_AGAIN])).length > 0;
}

/** Counted since its last change: who resumes a schedule, or mends it, begins anew. */
async function pauseFailing(tx: Db, gates: Judged[], now: number): Promise<JudgedGates["paused"]> {
  const counting = gates.filter(({ pauseAfter }) => pauseAfter !== null);
  if (counting.length === 0) return [];
  const values = [counting.map(({ id }) => id), counting.map(({ pauseAfter }) => pauseAfter)];
  const failing = await tx.query<[Id]>(selectFailing, values);
  if (failing.length === 0) return [];
  const schedules = await lockSchedules(
    tx,
    failing.map(([id]) => id),
  );
  const paused: JudgedGates["paused"] = [];
  for (const schedule of schedules) {
    const reason = failuresReason(schedule.definition.pauseAfterFailures!);
    await pauseSchedule(tx, schedule, { paused: true, reason, now });
    paused.push({ name: schedule.name, namespace: schedule.namespace, reason });
  }
  return paused;
}

/** A schedule that counts failures waits for the ends of its tasks. */
async function watchFailures(tx: Db, gates: Judged[], lookAt: Map<Id, number>, now: number): Promise<void> {
  const counting = gates.filter(({ pauseAfter }) => pauseAfter !== null).map(({ id }) => id);
  if (counting.length === 0) return;
  for (const [id] of await tx.query<[Id]>(selectLive, [counting]))
    lookAt.set(id, Math.min(now + WATCH_MS, lookAt.get(id) ?? now + WATCH_MS));
}

async function lookAgain(tx: Db, gates: Judged[], lookAt: Map<Id, number>, now: number): Promise<JudgedGates["gates"]> {
  const values = [gates.map(({ id }) => id), gates.map(({ id }) => lookAt.get(id) ?? null), now];
  const rows = await tx.query<[Id, number | null]>(moveGates, values);
  return rows.map(([id, at]) => ({ id, lookAt: at }));
}

// --------------------------------------------------------------------------------------------------------------- statements

const takeGates: Statement = {
  name: "take_gates",
  text: `
select gate.id, schedule.definition ->> 'overlap', schedule.definition #>> '{rule,delay}' is not null,
       (schedule.definition ->> 'pauseAfterFailures')::int
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

/** Past the gate: it may run, or waits for its key or for what it calls. */
const isBeyond = "(state::text <> 'waiting' or gate_id <> schedule_id)";

const selectOccupied: Statement = {
  name: "select_occupied_gates",
  text: `
select gate.id
  from unnest($1::bigint[]) as gate(id)
 cross join lateral (
   select id from task where schedule_id = gate.id and ${isBeyond} limit 1) other`,
};

/** `$2` now, `$3` why. Those that are held already know of it are left alone. */
const cancelTasks: Statement = {
  name: "cancel_tasks_of_schedules",
  text: `
with found as materialized (
  select id, session
    from task
   where schedule_id = any($1::bigint[]) and ${isBeyond}
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
  returning id, namespace),${noteEnded("gone", "'cancelled'")},
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
  returning task.id, task.schedule_id, task.fire_at, task.has_children, task.extra, x.reason),${noteEnded("gone", "'skipped'")},
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

/** `$2`: how many of each, the latest fires first. */
const selectFailing: Statement = {
  name: "select_failing_schedules",
  text: `
select schedule.id
  from unnest($1::bigint[], $2::int[]) as x(id, most)
  join schedule on schedule.id = x.id and not schedule.paused and schedule.deleted_at is null
 cross join lateral (
   select count(*) filter (where state = 'failed') as failed
     from (select state from archive
            where schedule_id = schedule.id and fire_at is not null and finished_at > schedule.updated_at
            order by fire_at desc limit x.most) latest) counted
 where counted.failed = x.most`,
};

const selectLive: Statement = {
  name: "select_schedules_with_tasks",
  text: `
select x.id
  from unnest($1::bigint[]) as x(id)
 cross join lateral (select id from task where schedule_id = x.id and fire_at is not null limit 1) live`,
};

/** `$2` the end that each waited for; `$3`: the mark of one that waits. */
const planAfterEnds: Statement = {
  name: "plan_after_ends",
  text: `
update schedule set planned_until = to_timestamp(x.ended_at / 1000)
  from unnest($1::bigint[], $2::float8[]) as x(id, ended_at)
 where schedule.id = any($1::bigint[]) and schedule.id = x.id and schedule.deleted_at is null
   and schedule.planned_until >= ${instant("$3")}
returning schedule.id`,
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
