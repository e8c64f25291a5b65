/**
 * Calendars as they are read, and held by who writes a schedule. Locks are taken on calendars by name, then on schedules by id: who writes a
 * schedule holds its calendars still, and who edits a calendar finds every schedule that names it.
 */
import type { Calendar, Id, NamedCalendar } from "@carillon/core";
import { calendarNames, type Naming, namedCalendars } from "../calendar-names.ts";
import type { CalendarRecord, Page, ScheduleDefinition } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { ms } from "./records.ts";

export async function getCalendar(
  db: Db,
  namespace: string,
  name: string,
): Promise<(CalendarRecord & { ics: string | null }) | null> {
  const [row] = await db.query(selectCalendar, [namespace, name]);
  return row ? { ...toCalendar(row), ics: row.at(-1) as string | null } : null;
}

export async function listCalendars(
  db: Db,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Promise<Page<CalendarRecord>> {
  const rows = await db.query(selectCalendars, [namespace, after, pageSize + 1]);
  const items = rows.slice(0, pageSize).map(toCalendar);
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

/** Those of these names, in their order. */
export async function calendars(db: Db, namespace: string, names: readonly string[]): Promise<NamedCalendar[]> {
  const asked = { namespace, definition: { excludes: names } };
  return (await calendarsOf(db, [asked]))(asked);
}

type NamingSchedule = { namespace: string; definition: Naming };

/** Those that each of these schedules names; one statement for all, and none when none names any. */
export async function calendarsOf(
  db: Db,
  schedules: readonly NamingSchedule[],
): Promise<(schedule: NamingSchedule) => NamedCalendar[]> {
  const wanted = new Map<string, [namespace: string, name: string]>();
  for (const { namespace, definition } of schedules) {
    for (const name of calendarNames(definition)) wanted.set(`${namespace}\0${name}`, [namespace, name]);
  }
  const found = new Map<string, Calendar>();
  if (wanted.size > 0) {
    const pairs = [...wanted.values()];
    const rows = await db.query<[string, string, string]>(selectNamed, [
      pairs.map(([namespace]) => namespace),
      pairs.map(([, name]) => name),
    ]);
    for (const [namespace, name, definition] of rows) {
      found.set(`${namespace}\0${name}`, JSON.parse(definition) as Calendar);
    }
  }
  return ({ namespace, definition }) => namedCalendars(definition, (name) => found.get(`${namespace}\0${name}`));
}

/** Held as they are until the end of the transaction. The first that there is not; null: there are all. */
export async function holdCalendars(tx: Db, namespace: string, definition: ScheduleDefinition): Promise<string | null> {
  const names = calendarNames(definition);
  if (names.length === 0) return null;
  const held = new Set((await tx.query<[string]>(holdNamed, [namespace, names])).map(([name]) => name));
  return names.find((name) => !held.has(name)) ?? null;
}

/** Notes which ones a schedule names from now on. */
export async function setUses(tx: Db, id: Id, namespace: string, names: readonly string[]): Promise<void> {
  await tx.query(dropUses, [id, names]);
  await tx.query(addUses, [id, namespace, names]);
}

/** In the order of `calendarColumns`; what follows is the caller's. */
export function toCalendar(row: unknown[]): CalendarRecord {
  const [namespace, name, version, definition, createdAt, updatedAt] = row as [
    string,
    string,
    number,
    string,
    number,
    number,
  ];
  return { namespace, name, version, calendar: JSON.parse(definition) as Calendar, createdAt, updatedAt };
}

export const calendarColumns = `namespace, name, version, definition, ${ms("created_at")}, ${ms("updated_at")}`;

// --------------------------------------------------------------------------------------------------------------- statements

const selectCalendar: Statement = {
  name: "select_calendar",
  text: `select ${calendarColumns}, ics from calendar where namespace = $1 and name = $2`,
};

const selectCalendars: Statement = {
  name: "select_calendars",
  text: `
select ${calendarColumns} from calendar where namespace = $1 and ($2::text is null or name > $2) order by name limit $3`,
};

const selectNamed: Statement = {
  name: "select_named_calendars",
  text: `
select calendar.namespace, calendar.name, calendar.definition
  from unnest($1::text[], $2::text[]) as wanted (namespace, name)
  join calendar on calendar.namespace = wanted.namespace and calendar.name = wanted.name`,
};

const holdNamed: Statement = {
  name: "hold_calendars",
  text: "select name from calendar where namespace = $1 and name = any($2::text[]) order by name for share",
};

const dropUses: Statement = {
  name: "drop_calendar_uses",
  text: "delete from calendar_use where schedule_id = $1 and calendar <> all($2::text[])",
};

const addUses: Statement = {
  name: "add_calendar_uses",
  text: `
insert into calendar_use (namespace, calendar, schedule_id)
select distinct $2::text, name, $1::bigint from unnest($3::text[]) as named (name)
on conflict do nothing`,
};
