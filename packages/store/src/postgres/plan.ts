/**
 * The planner's transaction. Schedules are taken with `skip locked`, so that planners share the work and never wait; their rows stay
 * locked until fires, tasks and mark are committed together, so that an edit, a pause or another planner sees all of a plan or nothing.
 */
import type { Id } from "@carillon/core";
import { type AtItsMark, atItsMark, type PastRule, pastAfterPlan } from "../past-rules.ts";
import type { NewTask, SchedulePlan, ScheduleToPlan } from "../store.ts";
import { float8Array, int2Array, int4Array, int8Array, textArray } from "./arrays.ts";
import { calendarsOf } from "./calendars.ts";
import type { Db, Statement } from "./db.ts";
import { previousFires } from "./fires.ts";
import { waitAtGates } from "./gates.ts";
import { insertTasks } from "./insert.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { instant, ms } from "./records.ts";
import { columnCount, scheduleColumns, toSchedule } from "./schedules.ts";
import { whenAny } from "./when-any.ts";

type Plan = (schedule: ScheduleToPlan) => SchedulePlan;
type WithCalendars = Omit<ScheduleToPlan, "tasksAhead" | "zoneData">;
type WithTasksAhead = Omit<ScheduleToPlan, "zoneData">;
type Planned = { schedule: ScheduleToPlan; past: PastRule[]; plan: SchedulePlan };

/** `plan` is asked again when the transaction has to begin anew, for a day of the ledger that had no partition yet. */
export async function planSchedules(
  db: Db,
  catalog: Catalog,
  { before, limit }: { before: number; limit: number; now: number },
  plan: Plan,
): Promise<{ schedules: number; tasks: NewTask[] }> {
  const answer = await withPartitions(db, () =>
    whenAny(db, anySchedule, [before], async (tx) => {
      const rows = await tx.query(takeSchedules, [before, limit]);
      if (rows.length === 0) return null;
      const pasts = rows.map((row): PastRule[] => JSON.parse(row[columnCount] as string));
      const zoneData = rows.map((row) => row[columnCount + 1] as string | null);
      const atTheirMarks = rows.map((row, index) => atItsMark(toSchedule(row), pasts[index]!));
      const schedules = await withPrevious(tx, await withTasksAhead(tx, await withCalendars(tx, atTheirMarks)));
      const planned = schedules.map((found, index) => {
        const schedule = { ...found, zoneData: zoneData[index]! };
        return { schedule, past: pasts[index]!, plan: plan(schedule) };
      });
      const tasks = await recordFires(tx, planned);
      await insertTasks(tx, catalog, tasks);
      await waitAtGates(tx, tasks, planned);
      // The planner leaves some for later.
      const moved = planned.filter(
        ({ schedule, plan }) => plan.fires.length > 0 || plan.plannedUntil !== schedule.plannedUntil,
      );
      if (moved.length > 0) await moveMarks(tx, moved, tasks);
      return { schedules: planned.length, tasks };
    }),
  );
  return answer ?? { schedules: 0, tasks: [] };
}

/** As with the tasks ahead, read after the locks were taken: an edit of a calendar changes the schedules' rows too. */
async function withCalendars(tx: Db, schedules: AtItsMark[]): Promise<WithCalendars[]> {
  const present = await calendarsOf(
    tx,
    schedules.filter(({ calendars }) => !calendars),
  );
  return schedules.map((schedule) => ({ ...schedule, calendars: schedule.calendars ?? present(schedule) }));
}

/** A statement of its own, as only one that begins after the locks were taken sees what they waited for. */
async function withTasksAhead(tx: Db, schedules: WithCalendars[]): Promise<WithTasksAhead[]> {
  const limited = schedules.filter(({ definition }) => definition.rule.maxFires !== null);
  const ahead = new Map<Id, number[]>();
  if (limited.length > 0) {
    const ids = limited.map(({ id }) => id);
    for (const [id, fireAt] of await tx.query<[Id, number]>(selectTasksAhead, [ids])) {
      const found = ahead.get(id);
      if (found) found.push(fireAt);
      else ahead.set(id, [fireAt]);
    }
  }
  return schedules.map((schedule) => ({ ...schedule, tasksAhead: ahead.get(schedule.id) ?? [] }));
}

async function withPrevious(tx: Db, schedules: WithTasksAhead[]): Promise<WithTasksAhead[]> {
  const delayed = schedules.filter(({ definition }) => definition.rule.delay !== undefined);
  const previous = await previousFires(
    tx,
    delayed.map(({ id }) => id),
  );
  return schedules.map((schedule) =>
    schedule.definition.rule.delay === undefined
      ? schedule
      : { ...schedule, previous: previous.get(schedule.id) ?? null },
  );
}

/** The tasks of those fires that had no row yet, or one that was withdrawn. */
async function recordFires(tx: Db, planned: Planned[]): Promise<NewTask[]> {
  const fires = planned.flatMap(({ schedule, plan }) => plan.fires.map((fire) => ({ fire, schedule })));
  if (fires.length === 0) return [];
  const recorded = await tx.query<[task: Id | null]>(insertFires, [
    int8Array(fires.map(({ schedule }) => schedule.id)),
    float8Array(fires.map(({ fire }) => fire.fireAt)),
    textArray(fires.map(({ fire }) => fire.outcome)),
    int8Array(fires.map(({ fire }) => fire.task?.id ?? null)),
    int4Array(fires.map(({ schedule }) => schedule.version)),
    textArray(fires.map(({ fire }) => fire.reason)),
    int2Array(fires.map(({ fire }) => Number(fire.caughtUp))),
  ]);
  const tasks = new Map(fires.flatMap(({ fire: { task } }) => (task ? [[task.id, task]] : [])));
  return recorded.flatMap(([id]) => (id === null ? [] : tasks.get(id)!));
}

async function moveMarks(tx: Db, planned: Planned[], tasks: NewTask[]): Promise<void> {
  const counts = new Map<Id, number>();
  for (const { scheduleId } of tasks) counts.set(scheduleId!, (counts.get(scheduleId!) ?? 0) + 1);
  await tx.query(markPlanned, [
    planned.map(({ schedule }) => schedule.id),
    planned.map(({ plan }) => plan.plannedUntil),
    planned.map(({ plan }) => plan.nextFireAt),
    planned.map(({ schedule }) => counts.get(schedule.id) ?? 0),
    planned.map(({ past, plan }) =>
      past.length === 0 ? null : JSON.stringify(pastAfterPlan(past, plan.plannedUntil)),
    ),
    planned.map(({ plan }) => plan.zoneData ?? null),
  ]);
}

/** Of those that are deleted only what was due before is planned. */
const due = `
  from schedule
 where (deleted_at is null or past <> '[]') and planned_until < ${instant("$1")}
 order by planned_until`;

const anySchedule: Statement = { name: "any_schedule", text: `select true ${due} limit 1` };

const takeSchedules: Statement = {
  name: "take_schedules",
  text: `
select ${scheduleColumns}, past, zone_data ${due} limit $2
   for update skip locked`,
};

/** Lateral, so that each schedule's look-up begins at its own mark. */
const selectTasksAhead: Statement = {
  name: "select_tasks_ahead",
  text: `
select schedule.id, ahead.fire_at
  from schedule
 cross join lateral (
   select ${ms("fire_at")} as fire_at from fire
    where fire.schedule_id = schedule.id and fire.fire_at > schedule.planned_until and fire.outcome = 'task' and not fire.backfilled
    order by fire.fire_at) ahead
 where schedule.id = any($1::bigint[])`,
};

const insertFires: Statement = {
  name: "insert_fires",
  text: `
insert into fire (schedule_id, fire_at, outcome, task_id, version, reason, caught_up)
select schedule_id, to_timestamp(fire_at / 1000), outcome, task_id, version, reason, caught_up = 1
  from unnest($1::bigint[], $2::float8[], $3::text[], $4::bigint[], $5::int[], $6::text[], $7::int2[])
    as planned (schedule_id, fire_at, outcome, task_id, version, reason, caught_up)
 order by schedule_id, fire_at
on conflict (schedule_id, fire_at) do update
   set outcome = excluded.outcome, task_id = excluded.task_id, version = excluded.version, reason = excluded.reason,
       caught_up = excluded.caught_up
 where fire.outcome = 'withdrawn'
returning task_id`,
};

const markPlanned: Statement = {
  name: "mark_planned",
  text: `
update schedule
   set planned_until = to_timestamp(planned.until / 1000), next_fire_at = to_timestamp(planned.next_fire_at / 1000),
       fires = schedule.fires + planned.fires, past = coalesce(planned.past::jsonb, schedule.past),
       -- Of what is deleted nobody compares the data any more, so that whoever plans the rest of it may have other.
       zone_data = case when schedule.deleted_at is null then planned.zone_data end
  from unnest($1::bigint[], $2::float8[], $3::float8[], $4::int[], $5::text[], $6::text[])
    as planned (id, until, next_fire_at, fires, past, zone_data)
 where schedule.id = planned.id`,
};
