/**
 * Schedules as people change them. Every change locks the schedule's row, as the planner does, so that a plan is either complete before
 * it (and its future part is withdrawn) or made after it under the new version.
 */
import { CarillonError, type Id, type NamedCalendar } from "@carillon/core";
import { calendarNames } from "../calendar-names.ts";
import { type PastRule, pastAfterChange } from "../past-rules.ts";
import { asOf, changesPause, type PauseRequest, pauseOf } from "../pause.ts";
import type { Page, ScheduleDefinition, ScheduleRecord, ScheduleSummary, ScheduleTiming, Store } from "../store.ts";
import { calendarsOf, holdCalendars, setUses } from "./calendars.ts";
import type { Db, Statement } from "./db.ts";
import { noteEnded } from "./final.ts";
import { type RememberedTask, rememberedTasks } from "./fires.ts";
import { instant, ms } from "./records.ts";

type PutRequest = Parameters<Store["putSchedule"]>[0];
type PutAnswer = Awaited<ReturnType<Store["putSchedule"]>>;

export async function putSchedule(db: Db, request: PutRequest): Promise<PutAnswer> {
  for (let tries = 0; tries < 5; tries++) {
    const answer = await db.transaction((tx) => put(tx, request));
    if (answer) return answer;
  }
  throw new CarillonError("unavailable", {
    detail: "The schedule changes faster than it can be read.",
    retryAfterMs: 1_000,
  });
}

/** Null: another request created it meanwhile. */
async function put(tx: Db, request: PutRequest): Promise<PutAnswer | null> {
  const { namespace, name, now, expect, nextFireAt } = request;
  const definition = JSON.stringify(request.definition);
  const unknown = await holdCalendars(tx, namespace, request.definition);
  if (unknown !== null) return { kind: "unknown_calendar", name: unknown };
  const existing = await lockSchedule(tx, namespace, name, definition);
  if (expect === "create" && existing) return { kind: "exists" };
  if (typeof expect === "number" && existing?.version !== expect) return { kind: "version_mismatch" };
  if (!existing) {
    const paused = request.paused ?? false;
    const pause = paused ? JSON.stringify(pauseOf({ paused, pause: null }, { paused, reason: null }, now)) : null;
    const values = [request.id, namespace, name, definition, paused, pause, now, nextFireAt];
    const [created] = await tx.query(insertSchedule, values);
    if (created) {
      const names = calendarNames(request.definition);
      if (names.length > 0) await setUses(tx, request.id, namespace, names);
      return { kind: "created", schedule: toSchedule(created) };
    }
    return (await tx.query(selectById, [request.id])).length > 0 ? { kind: "deleted" } : null;
  }
  const pausing = request.paused !== undefined && request.paused !== asOf(existing, now).paused;
  const changing = !existing.equal;
  if (pausing) await pauseSchedule(tx, existing, { paused: request.paused!, reason: null, now });
  if (changing) {
    const calendars = await calendarsInForce(tx, existing);
    await changeDefinition(tx, existing, { definition: request.definition, now, nextFireAt, calendars });
    const names = calendarNames(request.definition);
    if (calendarNames(existing.definition).length + names.length > 0) await setUses(tx, existing.id, namespace, names);
  }
  const schedule = asOf(toSchedule((await tx.query(selectById, [existing.id]))[0]!), now);
  return { kind: pausing || changing ? "changed" : "unchanged", schedule };
}

/** Later fires are withdrawn and planned anew; what was in force until now is kept while the planner is behind. */
export async function changeDefinition(
  tx: Db,
  existing: LockedSchedule,
  change: {
    definition: ScheduleDefinition;
    now: number;
    nextFireAt: number | null;
    /** Those that it named, as they were until now. */
    calendars: NamedCalendar[];
  },
): Promise<ScheduleRecord> {
  const { definition, now, nextFireAt, calendars } = change;
  const fires = await withdraw(tx, withdrawPlanned, existing.id, now, ["edited"]);
  const past = JSON.stringify(pastAfterChange(existing, now, calendars));
  const values = [existing.id, now, JSON.stringify(definition), nextFireAt, fires, past];
  return asOf(toSchedule((await tx.query(redefineSchedule, values))[0]!), now);
}

async function calendarsInForce(tx: Db, schedule: ScheduleRecord): Promise<NamedCalendar[]> {
  return (await calendarsOf(tx, [schedule]))(schedule);
}

export async function setPaused(
  db: Db,
  namespace: string,
  name: string,
  request: PauseRequest & { now: number },
): Promise<ScheduleRecord | null> {
  return db.transaction(async (tx) => {
    const existing = await lockSchedule(tx, namespace, name);
    if (!existing) return null;
    const { now } = request;
    if (changesPause(asOf(existing, now), request)) await pauseSchedule(tx, existing, request);
    return asOf(toSchedule((await tx.query(selectById, [existing.id]))[0]!), now);
  });
}

/** Later fires are planned anew: as skipped while paused, as tasks afterwards. Earlier ones that wait to be planned stay as they were. */
export async function pauseSchedule(
  tx: Db,
  existing: LockedSchedule,
  request: PauseRequest & { now: number },
): Promise<void> {
  const { id } = existing;
  const { paused, now } = request;
  const past = JSON.stringify(pastAfterChange(existing, now, await calendarsInForce(tx, existing)));
  const fires = paused ? await withdraw(tx, unplan, id, now) : 0n;
  if (!paused) await tx.query(unskip, [id, now]);
  const pause = pauseOf(asOf(existing, now), request, now);
  await tx.query(changePause, [id, now, paused, pause && JSON.stringify(pause), fires, past]);
}

/** What was due before and waits to be planned stays as it was. */
export async function deleteSchedule(db: Db, namespace: string, name: string, now: number): Promise<boolean> {
  return db.transaction(async (tx) => {
    const existing = await lockSchedule(tx, namespace, name);
    if (!existing) return false;
    const calendars = await calendarsInForce(tx, existing);
    const past = JSON.stringify(pastAfterChange(existing, now, calendars, { last: true }));
    const fires = await withdraw(tx, withdrawPlanned, existing.id, now, ["deleted"]);
    await tx.query(markDeleted, [existing.id, now, fires, past]);
    if (calendarNames(existing.definition).length > 0) await setUses(tx, existing.id, namespace, []);
    return true;
  });
}

export async function getSchedule(
  db: Db,
  namespace: string,
  name: string,
  now: number,
): Promise<ScheduleSummary | null> {
  const [schedule] = await summaries(db, await db.query(selectOne, [namespace, now, name]), now);
  return schedule ?? null;
}

export async function listSchedules(
  db: Db,
  namespace: string,
  { now, pageSize, after, text }: { now: number; pageSize: number; after: string | null; text?: string },
): Promise<Page<ScheduleSummary>> {
  const rows = await db.query(selectPage, [namespace, now, after, text ?? null, pageSize + 1]);
  const items = await summaries(db, rows.slice(0, pageSize), now);
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

export async function scheduleTimings(
  db: Db,
  namespace: string,
  { after, limit }: { after: string | null; limit: number },
): Promise<ScheduleTiming[]> {
  // No name is empty.
  type Names = [excludes: string | null, includes: string | null];
  type Row = [Id, string, string, ...Names, boolean, pausedUntil: number | null, number, bigint];
  const rows = await db.query<Row>(selectTimings, [namespace, after ?? "", limit]);
  const timings = rows.map(([id, name, rule, excludes, includes, paused, pausedUntil, plannedUntil, fires]) => {
    const definition = { excludes: namesIn(excludes), includes: namesIn(includes) };
    const timing = { id, name, rule: JSON.parse(rule), paused, pausedUntil, plannedUntil, fires: Number(fires) };
    return { namespace, definition, ...timing };
  });
  const calendarsFor = await calendarsOf(db, timings);
  return timings.map(({ namespace, definition, ...timing }) => {
    return { ...timing, calendars: calendarsFor({ namespace, definition }) };
  });
}

const namesIn = (list: string | null): string[] => (list === null ? [] : JSON.parse(list));

// --------------------------------------------------------------------------------------------------------------------- rows

/** In the order of `scheduleColumns`; what follows is the caller's. */
export function toSchedule(row: unknown[]): ScheduleRecord {
  const [
    id,
    namespace,
    name,
    version,
    definition,
    paused,
    pause,
    plannedUntil,
    fires,
    nextFireAt,
    createdAt,
    updatedAt,
  ] = row as [
    Id,
    string,
    string,
    number,
    string,
    boolean,
    string | null,
    number,
    bigint,
    number | null,
    number,
    number,
  ];
  return {
    id,
    namespace,
    name,
    version,
    definition: JSON.parse(definition) as ScheduleDefinition,
    paused,
    // Those that were stored before pauses had an end have neither that nor an author.
    pause: pause === null ? null : { until: null, by: null, ...JSON.parse(pause) },
    plannedUntil,
    fires: Number(fires),
    nextFireAt,
    createdAt,
    updatedAt,
  };
}

export const scheduleColumns = `schedule.id, schedule.namespace, schedule.name, schedule.version, schedule.definition,
       schedule.paused, schedule.pause, ${ms("schedule.planned_until")}, schedule.fires, ${ms("schedule.next_fire_at")},
       ${ms("schedule.created_at")}, ${ms("schedule.updated_at")}`;
export const columnCount = 12;

async function summaries(db: Db, rows: unknown[][], now: number): Promise<ScheduleSummary[]> {
  const lastFires = rows.map((row) => row.slice(columnCount) as [fireAt: number | null, taskId: Id | null]);
  const tasks = await rememberedTasks(
    db,
    lastFires.flatMap(([, taskId]) => taskId ?? []),
  );
  const schedules = rows.map((row) => asOf(toSchedule(row), now));
  const calendars = await calendarsOf(db, schedules);
  return schedules.map((schedule, index) => {
    const [lastFireAt, taskId] = lastFires[index]!;
    const task = taskId === null ? undefined : tasks.get(taskId);
    return { ...schedule, calendars: calendars(schedule), lastFireAt, lastTask: task ? summaryOf(task) : null };
  });
}

const summaryOf = ({ id, state, dueAt, failures }: RememberedTask) => ({ id, state, dueAt, failures });

export interface LockedSchedule extends ScheduleRecord {
  past: PastRule[];
}

/** Those that are not deleted, in order of their ids. */
export async function lockSchedules(tx: Db, ids: Id[]): Promise<LockedSchedule[]> {
  const rows = await tx.query(lockByIds, [ids]);
  return rows.map((row) => ({ ...toSchedule(row), past: JSON.parse(row[columnCount] as string) as PastRule[] }));
}

/** `equal`: its definition is the one asked about, in whatever order its fields are. */
async function lockSchedule(
  tx: Db,
  namespace: string,
  name: string,
  definition: string | null = null,
): Promise<(LockedSchedule & { equal: boolean }) | null> {
  const [row] = await tx.query(lock, [namespace, name, definition]);
  if (!row) return null;
  const [past, equal] = row.slice(columnCount) as [string, boolean];
  return { ...toSchedule(row), past: JSON.parse(past), equal };
}

/** How many fires are no longer tasks. */
async function withdraw(tx: Db, statement: Statement, id: Id, now: number, more: unknown[] = []): Promise<bigint> {
  const [[tasks]] = (await tx.query<[bigint]>(statement, [id, now, ...more])) as [[bigint]];
  await tx.query(unskip, [id, now]);
  return tasks;
}

// --------------------------------------------------------------------------------------------------------------- statements

const lock: Statement = {
  name: "lock_schedule",
  text: `
select ${scheduleColumns}, past, definition = $3::jsonb
  from schedule
 where namespace = $1 and name = $2 and deleted_at is null
   for update`,
};

const lockByIds: Statement = {
  name: "lock_schedules",
  text: `
select ${scheduleColumns}, past
  from schedule
 where id = any($1::bigint[]) and deleted_at is null
 order by id
   for update`,
};

const insertSchedule: Statement = {
  name: "insert_schedule",
  text: `
insert into schedule (id, namespace, name, definition, paused, pause, planned_until, next_fire_at, created_at, updated_at)
values ($1, $2, $3, $4::jsonb, $5, $6::jsonb, ${instant("$7")}, ${instant("$8")}, ${instant("$7")}, ${instant("$7")})
on conflict do nothing
returning ${scheduleColumns}`,
};

const redefineSchedule: Statement = {
  name: "redefine_schedule",
  text: `
update schedule
   set definition = $3::jsonb, version = version + 1, planned_until = least(planned_until, ${instant("$2")}),
       next_fire_at = ${instant("$4")}, fires = fires - $5, past = $6::jsonb, updated_at = ${instant("$2")}
 where id = $1
returning ${scheduleColumns}`,
};

const changePause: Statement = {
  name: "pause_schedule",
  text: `
update schedule
   set paused = $3, pause = $4::jsonb, planned_until = least(planned_until, ${instant("$2")}), fires = fires - $5,
       past = $6::jsonb, updated_at = ${instant("$2")}
 where id = $1`,
};

/** Whoever plans what is left of it may have other zone data. */
const markDeleted: Statement = {
  name: "delete_schedule",
  text: `
update schedule
   set deleted_at = ${instant("$2")}, updated_at = ${instant("$2")}, fires = fires - $3, past = $4::jsonb, zone_data = null
 where id = $1`,
};

/** Nothing is planned further ahead; a statement that says so looks at two days of the ledger instead of all those to come. */
const PLANNED_AHEAD_MS = 86_400_000;
const isAhead = `fire.fire_at > ${instant("$2")} and fire.fire_at <= ${instant(`($2::float8 + ${PLANNED_AHEAD_MS})`)}`;

/** Tasks of fires after `$2` that nobody ever claimed. A claim that is about to commit is waited for, and keeps its task. */
const gone = `
locked as materialized (
  select id from task
   where schedule_id = $1 and fire_at > ${instant("$2")} and trigger = 'schedule' and state::text in ('pending', 'waiting') and attempt = 0
   order by id + 0 -- Not by the key of the whole table.
     for update),
gone as (
  delete from task using locked
   where task.id = any(array(select id from locked)) and task.id = locked.id
  returning task.id, task.fire_at, task.has_children, task.extra),${noteEnded("gone", "'skipped'")}`;
const theirFires = `fire.schedule_id = $1 and ${isAhead} and fire.fire_at = gone.fire_at and fire.task_id = gone.id`;

const withdrawPlanned: Statement = {
  name: "withdraw_planned",
  text: `
with ${gone},
fires as (
  update fire set outcome = 'withdrawn', task_id = null, reason = $3 from gone where ${theirFires})
select count(*) from gone`,
};

const unplan: Statement = {
  name: "unplan",
  text: `
with ${gone},
fires as (
  delete from fire using gone where ${theirFires})
select count(*) from gone`,
};

/** What a pause would have skipped. */
const unskip: Statement = {
  name: "unskip",
  text: `delete from fire where schedule_id = $1 and ${isAhead} and outcome = 'skipped'`,
};

const selectById: Statement = {
  name: "select_schedule_by_id",
  text: `select ${scheduleColumns} from schedule where id = $1`,
};

/** `$2` now. */
const withLastFire = `
select ${scheduleColumns}, ${ms("last.fire_at")}, last.task_id
  from schedule
  left join lateral (
    select fire_at, task_id from fire
     where schedule_id = schedule.id and fire_at <= ${instant("$2")} and outcome = 'task'
     order by fire_at desc limit 1) last on true
 where namespace = $1 and deleted_at is null`;

const selectOne: Statement = { name: "select_schedule", text: `${withLastFire} and name = $3` };

const selectPage: Statement = {
  name: "select_schedules",
  text: `${withLastFire}
   and ($3::text is null or name > $3)
   and ($4::text is null or strpos(lower(name), lower($4)) > 0
        or strpos(lower(definition -> 'task' ->> 'type'), lower($4)) > 0)
 order by name limit $5`,
};

/** Without the payload, which may be large. */
const selectTimings: Statement = {
  name: "select_schedule_timings",
  text: `
select id, name, definition -> 'rule', definition -> 'excludes', definition -> 'includes', paused,
       (pause ->> 'until')::float8, ${ms("planned_until")}, fires
  from schedule
 where namespace = $1 and deleted_at is null and name > $2
 order by name limit $3`,
};
