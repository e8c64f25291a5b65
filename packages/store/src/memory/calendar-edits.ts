import { isDeepStrictEqual } from "node:util";
import { calendarNames } from "../calendar-names.ts";
import { pastAfterChange } from "../past-rules.ts";
import type { CalendarAnswer, CalendarRecord, Store } from "../store.ts";
import { type MemoryDatabase, nameKey, type ScheduleRow } from "./database.ts";
import { calendarsOf, changeDefinition, scheduleRecord } from "./schedules.ts";

type PutRequest = Parameters<Store["putCalendar"]>[0];
type NextFireAt = Parameters<Store["putCalendar"]>[1];

/** So many are named to who would delete a calendar that they use. */
const NAMED_USERS = 10;

export function putCalendar(database: MemoryDatabase, request: PutRequest, nextFireAt: NextFireAt): CalendarAnswer {
  const { namespace, name, ics, now } = request;
  const key = nameKey(namespace, name);
  const calendar = structuredClone(request.calendar);
  const existing = database.calendars.get(key);
  if (existing && existing.ics === ics && isDeepStrictEqual(existing.calendar, calendar)) {
    return { kind: "unchanged", calendar: recordOf(existing), schedules: [] };
  }
  const row = {
    namespace,
    name,
    version: (existing?.version ?? 0) + 1,
    calendar,
    ics,
    createdAt: existing?.createdAt ?? now,
    updatedAt: now,
  };
  const users = usersOf(database, namespace, name);
  const before = users.map((user) => calendarsOf(database, user));
  for (const user of users) pastAfterChange(user, now, []); // Refuses all before one is changed.
  database.calendars.set(key, row);
  for (const [index, user] of users.entries()) {
    const { definition } = user;
    const next = nextFireAt(definition, calendarsOf(database, user));
    changeDefinition(database, user, { definition, now, nextFireAt: next, calendars: before[index]! });
  }
  return { kind: existing ? "changed" : "created", calendar: recordOf(row), schedules: users.map(scheduleRecord) };
}

export function deleteCalendar(
  database: MemoryDatabase,
  namespace: string,
  name: string,
): { kind: "deleted" | "not_found" } | { kind: "in_use"; schedules: string[] } {
  const key = nameKey(namespace, name);
  if (!database.calendars.has(key)) return { kind: "not_found" };
  const users = usersOf(database, namespace, name).map((user) => user.name);
  if (users.length > 0) return { kind: "in_use", schedules: users.sort().slice(0, NAMED_USERS) };
  database.calendars.delete(key);
  return { kind: "deleted" };
}

/** In order of their ids. */
function usersOf(database: MemoryDatabase, namespace: string, name: string): ScheduleRow[] {
  return [...database.schedules.values()]
    .filter((row) => row.namespace === namespace && row.deletedAt === null)
    .filter(({ definition }) => calendarNames(definition).includes(name))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function recordOf({ ics: _, ...record }: CalendarRecord & { ics: string | null }): CalendarRecord {
  return record;
}
