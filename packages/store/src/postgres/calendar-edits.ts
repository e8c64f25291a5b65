/** What edits of a calendar do to the schedules that exclude or include it. */
import { CarillonError, type Id } from "@carillon/core";
import { calendarNames } from "../calendar-names.ts";
import type { CalendarAnswer, CalendarRecord, ScheduleRecord, Store } from "../store.ts";
import { calendarColumns, calendarsOf, toCalendar } from "./calendars.ts";
import type { Db, Statement } from "./db.ts";
import { instant } from "./records.ts";
import { changeDefinition, lockSchedules } from "./schedules.ts";

type PutRequest = Parameters<Store["putCalendar"]>[0];
type NextFireAt = Parameters<Store["putCalendar"]>[1];

/** So many schedules are changed at a time. */
const BATCH = 200;
/** So many are named to who would delete a calendar that they use. */
const NAMED_USERS = 10;

export async function putCalendar(db: Db, request: PutRequest, nextFireAt: NextFireAt): Promise<CalendarAnswer> {
  for (let tries = 0; tries < 5; tries++) {
    const answer = await db.transaction((tx) => put(tx, request, nextFireAt));
    if (answer) return answer;
  }
  throw new CarillonError("unavailable", {
    detail: "The calendar changes faster than it can be read.",
    retryAfterMs: 1_000,
  });
}

/** Null: another request created it meanwhile. */
async function put(tx: Db, request: PutRequest, nextFireAt: NextFireAt): Promise<CalendarAnswer | null> {
  const { namespace, name, ics, now } = request;
  const definition = JSON.stringify(request.calendar);
  const [existing] = await tx.query(lockCalendar, [namespace, name, definition, ics]);
  if (!existing) {
    const [created] = await tx.query(insertCalendar, [namespace, name, definition, ics, now]);
    return created ? { kind: "created", calendar: toCalendar(created), schedules: [] } : null;
  }
  if (existing.at(-1)) return { kind: "unchanged", calendar: toCalendar(existing), schedules: [] };
  const [changed] = await tx.query(redefineCalendar, [namespace, name, definition, ics, now]);
  const schedules = await changeUsers(tx, toCalendar(existing), { now, nextFireAt });
  return { kind: "changed", calendar: toCalendar(changed!), schedules };
}

/** Every schedule that names it is changed as by an edit of its own. */
async function changeUsers(
  tx: Db,
  was: CalendarRecord,
  { now, nextFireAt }: { now: number; nextFireAt: NextFireAt },
): Promise<ScheduleRecord[]> {
  const { namespace, name } = was;
  const changed: ScheduleRecord[] = [];
  for (let last: Id | undefined = 0n; ; ) {
    const rows: [Id][] = await tx.query<[Id]>(selectUsers, [namespace, name, last, BATCH]);
    const ids = rows.map(([id]) => id);
    last = ids.at(-1);
    if (last === undefined) return changed;
    const schedules = (await lockSchedules(tx, ids)).filter(({ definition }) =>
      calendarNames(definition).includes(name),
    );
    const present = await calendarsOf(tx, schedules);
    for (const schedule of schedules) {
      const { definition } = schedule;
      const nextFire = nextFireAt(definition, present(schedule));
      const calendars = present(schedule).map((one) => (one.name === name ? { ...one, calendar: was.calendar } : one));
      changed.push(await changeDefinition(tx, schedule, { definition, now, nextFireAt: nextFire, calendars }));
    }
  }
}

export async function deleteCalendar(
  db: Db,
  namespace: string,
  name: string,
): Promise<{ kind: "deleted" | "not_found" } | { kind: "in_use"; schedules: string[] }> {
  return db.transaction(async (tx) => {
    const [existing] = await tx.query(lockCalendar, [namespace, name, null, null]);
    if (!existing) return { kind: "not_found" };
    const users = await tx.query<[string]>(selectUserNames, [namespace, name, NAMED_USERS]);
    if (users.length > 0) return { kind: "in_use", schedules: users.map(([user]) => user) };
    await tx.query(removeCalendar, [namespace, name]);
    return { kind: "deleted" };
  });
}

// --------------------------------------------------------------------------------------------------------------- statements

const lockCalendar: Statement = {
  name: "lock_calendar",
  text: `
select ${calendarColumns}, definition = $3::jsonb and ics is not distinct from $4
  from calendar where namespace = $1 and name = $2 for update`,
};

const insertCalendar: Statement = {
  name: "insert_calendar",
  text: `
insert into calendar (namespace, name, definition, ics, created_at, updated_at)
values ($1, $2, $3::jsonb, $4, ${instant("$5")}, ${instant("$5")})
on conflict do nothing
returning ${calendarColumns}`,
};

const redefineCalendar: Statement = {
  name: "redefine_calendar",
  text: `
update calendar set definition = $3::jsonb, ics = $4, version = version + 1, updated_at = ${instant("$5")}
 where namespace = $1 and name = $2
returning ${calendarColumns}`,
};

const removeCalendar: Statement = {
  name: "delete_calendar",
  text: "delete from calendar where namespace = $1 and name = $2",
};

const selectUsers: Statement = {
  name: "select_calendar_uses",
  text: `
select schedule_id from calendar_use
 where namespace = $1 and calendar = $2 and schedule_id > $3 order by schedule_id limit $4`,
};

const selectUserNames: Statement = {
  name: "select_calendar_users",
  text: `
select schedule.name
  from calendar_use join schedule on schedule.id = calendar_use.schedule_id
 where calendar_use.namespace = $1 and calendar_use.calendar = $2
 order by schedule.name limit $3`,
};
