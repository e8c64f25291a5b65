/**
 * Time zone data changes under schedules that were planned with older data. Their rows are taken as a planner takes them, so that a plan
 * is either made before and looked at here, or made after with the new data. What is planned and stays as it was is not touched.
 */
import type { FireAhead, FireShift, Id } from "@carillon/core";
import type { AdoptionAnswer, ScheduleToShift, Store, ZoneChange } from "../store.ts";
import { zoneChangeOf } from "../zone-change.ts";
import { calendarsOf } from "./calendars.ts";
import type { Db, Statement } from "./db.ts";
import { noteEnded } from "./final.ts";
import { instant, ms } from "./records.ts";
import { columnCount, scheduleColumns, toSchedule } from "./schedules.ts";

type Request = Parameters<Store["adoptZoneData"]>[0];
type Shift = Parameters<Store["adoptZoneData"]>[1];
type Shifted = { schedule: ScheduleToShift; shift: FireShift | null };

export async function adoptZoneData(db: Db, request: Request, shift: Shift): Promise<AdoptionAnswer> {
  const { version, now, limit } = request;
  return db.transaction(async (tx) => {
    const [[newest, other]] = (await tx.query<[string | null, string | null]>(selectVersions, [version])) as [
      [string | null, string | null],
    ];
    if (newest !== null && newest > version) return { kind: "older", newest };
    if (other === null) return { kind: "adopted", schedules: 0, changes: [] };
    const taken = await take(tx, { version: other, now, limit });
    const shifted = taken.map((schedule) => ({ schedule, shift: shift(schedule) }));
    const withdrawn = await withdraw(tx, shifted, request);
    const changes = shifted.flatMap(({ schedule, shift }) => {
      const removed = shift?.removed.filter((fireAt) => withdrawn.get(schedule.id)?.has(fireAt));
      return (shift && zoneChangeOf(schedule, shift, removed!, request)) ?? [];
    });
    await writeSchedules(tx, shifted, withdrawn, request);
    if (changes.length > 0) await tx.query(insertChanges, [JSON.stringify(changes.map(toRow))]);
    return { kind: "adopted", schedules: taken.length, changes };
  });
}

/** What lies ahead is read after the locks were taken, since only a later statement sees what they waited for. */
async function take(tx: Db, { version, now, limit }: Request): Promise<ScheduleToShift[]> {
  const rows = await tx.query(takeSchedules, [version, limit]);
  if (rows.length === 0) return [];
  const schedules = rows.map((row) => ({ ...toSchedule(row), zoneData: row[columnCount] as string }));
  const calendars = await calendarsOf(tx, schedules);
  const ahead = new Map<Id, FireAhead[]>();
  for (const [id, fireAt, outcome, waits] of await tx.query<[Id, number, FireAhead["outcome"], boolean]>(selectAhead, [
    schedules.map(({ id }) => id),
    now,
  ])) {
    const fires = ahead.get(id) ?? [];
    fires.push({ fireAt, outcome, waits });
    ahead.set(id, fires);
  }
  return schedules.map((one) => ({ ...one, calendars: calendars(one), ahead: ahead.get(one.id) ?? [] }));
}

/** What is gone, by schedule; a fire whose task was claimed in this moment is not. */
async function withdraw(tx: Db, all: Shifted[], { version, now }: Request): Promise<Map<Id, Map<number, boolean>>> {
  const moved = all.flatMap(({ schedule, shift }) => (shift?.removed ?? []).map((at) => [schedule.id, at] as const));
  const gone = new Map<Id, Map<number, boolean>>();
  if (moved.length === 0) return gone;
  const which = [moved.map(([id]) => id), moved.map(([, at]) => at), now];
  for (const [id, fireAt, wasTask] of [
    ...(await tx.query<[Id, number, boolean]>(withdrawTasks, [...which, `zone_data:${version}`])),
    ...(await tx.query<[Id, number, boolean]>(deleteSkipped, which)),
  ]) {
    const fires = gone.get(id) ?? new Map<number, boolean>();
    gone.set(id, fires.set(fireAt, wasTask));
  }
  return gone;
}

async function writeSchedules(
  tx: Db,
  all: Shifted[],
  withdrawn: Map<Id, Map<number, boolean>>,
  { version, now }: Request,
): Promise<void> {
  if (all.length === 0) return;
  await tx.query(stampSchedules, [
    all.map(({ schedule }) => schedule.id),
    all.map(({ shift }) => (shift === null ? null : version)),
    all.map(({ schedule, shift }) =>
      shift && shift.added.length > 0 ? Math.min(now, schedule.plannedUntil) : schedule.plannedUntil,
    ),
    all.map(({ schedule, shift }) => (shift === null ? schedule.nextFireAt : shift.nextFireAt)),
    all.map(({ schedule }) => [...(withdrawn.get(schedule.id)?.values() ?? [])].filter((wasTask) => wasTask).length),
  ]);
}

export async function zoneChanges(db: Db, namespace: string, { limit }: { limit: number }): Promise<ZoneChange[]> {
  const rows = await db.query<[number, string, string, string, string, string, string, number | null, number | null]>(
    selectChanges,
    [namespace, limit],
  );
  return rows.map(([at, namespace, schedule, from, to, removed, added, before, after]) => {
    const fires = { removed: JSON.parse(removed), added: JSON.parse(added) };
    return { at, namespace, schedule, from, to, ...fires, nextFireAt: { before, after } };
  });
}

const toRow = ({ at, removed, added, nextFireAt, ...change }: ZoneChange) => ({
  ...change,
  at: isoOf(at),
  removed: removed.map(isoOf),
  added: added.map(isoOf),
  next_before: isoOf(nextFireAt.before),
  next_after: isoOf(nextFireAt.after),
});

const isoOf = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

// --------------------------------------------------------------------------------------------------------------- statements

/** The newest that a living node plans with, and another than `$1` that some plan was made with; each by one look into an index. */
const selectVersions: Statement = {
  name: "select_zone_versions",
  text: `
select (select max(zone_data) from session where dead_at is null and closed_at is null),
       coalesce(
         (select zone_data from schedule
           where zone_data is not null and deleted_at is null and zone_data < $1 order by zone_data desc limit 1),
         (select zone_data from schedule
           where zone_data is not null and deleted_at is null and zone_data > $1 order by zone_data limit 1))`,
};

/** The most urgent first. */
const takeSchedules: Statement = {
  name: "take_schedules_of_zone_data",
  text: `
select ${scheduleColumns}, zone_data
  from schedule
 where zone_data = $1 and deleted_at is null
 order by planned_until limit $2
   for update skip locked`,
};

const selectAhead: Statement = {
  name: "select_fires_ahead",
  text: `
select schedule.id, ahead.fire_at, ahead.outcome, ahead.waits
  from unnest($1::bigint[]) as schedule(id)
 cross join lateral (
   select ${ms("fire_at")} as fire_at, outcome,
          exists (select from task
                   where task.id = fire.task_id and trigger = 'schedule' and state::text in ('pending', 'waiting') and attempt = 0) as waits
     from fire
    where fire.schedule_id = schedule.id and fire.fire_at > ${instant("$2")} and outcome in ('task', 'skipped')
    order by fire.fire_at) ahead`,
};

const moved = `
moved as (
  select schedule_id, ${instant("at")} as fire_at from unnest($1::bigint[], $2::float8[]) as moved (schedule_id, at))`;

const withdrawTasks: Statement = {
  name: "withdraw_shifted",
  text: `
with ${moved},
locked as materialized (
  select task.id
    from moved join task on task.schedule_id = moved.schedule_id and task.fire_at = moved.fire_at
   where task.trigger = 'schedule' and task.state::text in ('pending', 'waiting') and task.attempt = 0
   order by task.id
     for update of task),
gone as (
  delete from task using locked
   where task.id = any(array(select id from locked)) and task.id = locked.id
  returning task.id, task.schedule_id, task.fire_at, task.has_children, task.extra),${noteEnded("gone", "'skipped'")},
fires as (
  update fire set outcome = 'withdrawn', task_id = null, reason = $4
    from gone
   where fire.schedule_id = gone.schedule_id and fire.fire_at = gone.fire_at and fire.task_id = gone.id
     and fire.fire_at > ${instant("$3")})
select schedule_id, ${ms("fire_at")}, true from gone`,
};

const deleteSkipped: Statement = {
  name: "delete_shifted_skips",
  text: `
with ${moved}
delete from fire using moved
 where fire.schedule_id = moved.schedule_id and fire.fire_at = moved.fire_at and fire.outcome = 'skipped'
   and fire.fire_at > ${instant("$3")}
returning fire.schedule_id, ${ms("fire.fire_at")}, false`,
};

const stampSchedules: Statement = {
  name: "stamp_zone_data",
  text: `
update schedule
   set zone_data = shifted.zone_data, planned_until = to_timestamp(shifted.until / 1000),
       next_fire_at = to_timestamp(shifted.next_fire_at / 1000), fires = schedule.fires - shifted.withdrawn
  from unnest($1::bigint[], $2::text[], $3::float8[], $4::float8[], $5::int[])
    as shifted (id, zone_data, until, next_fire_at, withdrawn)
 where schedule.id = shifted.id`,
};

const insertChanges: Statement = {
  name: "insert_zone_changes",
  text: `
insert into zone_change (at, namespace, schedule, from_version, to_version, removed, added, next_before, next_after)
select at, namespace, schedule, "from", "to", removed, added, next_before, next_after
  from jsonb_to_recordset($1::jsonb)
    as change (at timestamptz, namespace text, schedule text, "from" text, "to" text, removed timestamptz[],
               added timestamptz[], next_before timestamptz, next_after timestamptz)`,
};

const inMs = (column: string) =>
  `to_json(array(select ${ms("each")} from unnest(${column}) with ordinality as list (each, place) order by place))::text`;

const selectChanges: Statement = {
  name: "select_zone_changes",
  text: `
select ${ms("at")}, namespace, schedule, from_version, to_version, ${inMs("removed")}, ${inMs("added")},
       ${ms("next_before")}, ${ms("next_after")}
  from zone_change
 where namespace = $1
 order by id desc limit $2`,
};
