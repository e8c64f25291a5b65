import type { NamedCalendar } from "@carillon/core";
import type { CalendarRecord, Page } from "../store.ts";
import { type MemoryDatabase, nameKey } from "./database.ts";

export function getCalendar(
  database: MemoryDatabase,
  namespace: string,
  name: string,
): (CalendarRecord & { ics: string | null }) | null {
  const row = database.calendars.get(nameKey(namespace, name));
  return row ? { ...row } : null;
}

export function listCalendars(
  database: MemoryDatabase,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Page<CalendarRecord> {
  const rows = [...database.calendars.values()]
    .filter((row) => row.namespace === namespace && (after === null || row.name > after))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = rows.slice(0, pageSize).map(({ ics: _, ...record }) => record);
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

/** Those of these names, in their order. */
export function calendars(database: MemoryDatabase, namespace: string, names: readonly string[]): NamedCalendar[] {
  return names.flatMap((name) => {
    const row = database.calendars.get(nameKey(namespace, name));
    return row ? { name, calendar: row.calendar } : [];
  });
}
