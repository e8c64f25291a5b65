/** Stretches in which no node was alive. Fires inside are missed, and the schedules' catch-up policies decide about them. */
import type { Db, Statement } from "./db.ts";
import { noteEnded } from "./final.ts";
import { instant, ms } from "./records.ts";

/** Fires this close to the end are not missed: they can still start in time. */
const GRACE_MS = 10_000;
/** Over all schedules and what was planned for them, once after a downtime. */
const DEADLINE_MS = 60_000;

/**
 * Two nodes that start together find the same beginning: the second waits for the first, then has nothing to do. What was planned for the
 * time and never claimed disappears, ledger and all, so that the planner decides about it anew with the downtime in view.
 */
export async function recordDowntime(db: Db, { from, until }: { from: number; until: number }): Promise<void> {
  await db.transaction(async (tx) => {
    const [recorded] = await tx.query(insertDowntime, [from, until], { deadlineMs: DEADLINE_MS });
    if (!recorded) return;
    await tx.query(rewind, [from], { deadlineMs: DEADLINE_MS });
    await tx.query(withdraw, [from, until - GRACE_MS], { deadlineMs: DEADLINE_MS });
  });
}

/** Oldest first. */
export async function downtimes(db: Db, since: number): Promise<{ from: number; until: number }[]> {
  const rows = await db.query<[from: number, until: number]>(selectDowntimes, [since]);
  return rows.map(([from, until]) => ({ from, until }));
}

const insertDowntime: Statement = {
  name: "insert_downtime",
  text: `
insert into downtime (from_at, until_at) values (${instant("$1")}, ${instant("$2")})
on conflict (from_at) do nothing
returning from_at`,
};

/** Locks every schedule, so that no planner is at work between this and the withdrawal. */
const rewind: Statement = {
  name: "rewind_schedules",
  text: `
with locked as materialized (
  select id from schedule where deleted_at is null or past <> '[]' order by id for update)
update schedule set planned_until = least(planned_until, ${instant("$1")})
  from locked
 where schedule.id = locked.id`,
};

const withdraw: Statement = {
  name: "withdraw_missed_tasks",
  text: `
with locked as materialized (
  select task.id, task.schedule_id, task.fire_at
    from task join schedule on schedule.id = task.schedule_id
   where task.fire_at > ${instant("$1")} and task.fire_at < ${instant("$2")} and task.schedule_id is not null
     and task.trigger = 'schedule' and task.state::text in ('pending', 'waiting') and task.attempt = 0
     and (schedule.deleted_at is null or schedule.past <> '[]')
   order by task.id
     for update of task),
gone as (
  delete from task using locked
   where task.id = any(array(select id from locked)) and task.id = locked.id
  returning task.id, task.schedule_id, task.fire_at, task.has_children, task.extra),${noteEnded("gone", "'skipped'")},
fires as (
  delete from fire using gone
   where fire.schedule_id = gone.schedule_id and fire.fire_at = gone.fire_at and fire.task_id = gone.id
     and fire.fire_at > ${instant("$1")} and fire.fire_at < ${instant("$2")})
update schedule set fires = schedule.fires - counted.fires
  from (select schedule_id, count(*) as fires from gone group by schedule_id) counted
 where schedule.id = counted.schedule_id`,
};

const selectDowntimes: Statement = {
  name: "select_downtimes",
  text: `
select ${ms("from_at")}, ${ms("until_at")} from downtime where until_at > ${instant("$1")} order by from_at`,
};
