/** What people do with calendars, and what schedules ask of them. Inputs are checked requests, answers are the API's shapes. */
import { isDeepStrictEqual } from "node:util";
import {
  type Calendar,
  type CalendarInput,
  CarillonError,
  formatInstant,
  invalid,
  isName,
  limits,
  type NamedCalendar,
  nextFireAt,
  readCalendar,
  type ScheduleRule,
} from "@carillon/core";
import type { CalendarRecord } from "@carillon/store";
import { fieldsInvalid } from "../http/field-errors.ts";
import type { CalendarAnswer, CalendarSummary, ListCalendars, PutCalendar } from "../http/schemas/calendars.ts";
import type { Deps } from "./deps.ts";
import { readPageToken, writePageToken } from "./page-token.ts";

/** Creates it or replaces it, and with it what the schedules that name it do from now on; an equal one changes nothing. */
export async function putCalendar(
  deps: Deps,
  namespace: string,
  name: string,
  body: PutCalendar,
): Promise<{ calendar: CalendarAnswer; created: boolean }> {
  const { calendar: given, ics } = checkPut(name, body);
  const now = deps.clock.now();
  const { kind, calendar, schedules } = await deps.store.putCalendar(
    { namespace, name, calendar: given, ics, now },
    ({ rule }, calendars) => nextFireAt(rule, now, calendars),
  );
  if (schedules.length > 0) {
    deps.planner?.wake();
    deps.store.hints.publish({ schedules: true });
    for (const schedule of schedules)
      deps.feed.scheduleChanged(schedule.name, namespace, schedule.paused ? "paused" : "active");
  }
  return { calendar: { ...toSummary(calendar), ics }, created: kind === "created" };
}

/** What `putCalendar` would answer with, and refuse; nothing is stored. */
export async function foreseeCalendar(
  { store, clock }: Pick<Deps, "store" | "clock">,
  namespace: string,
  name: string,
  body: PutCalendar,
): Promise<CalendarAnswer> {
  const { calendar, ics } = checkPut(name, body);
  const now = clock.now();
  const existing = await store.getCalendar(namespace, name);
  const same = existing?.ics === ics && isDeepStrictEqual(existing.calendar, calendar);
  if (existing && same) return { ...toSummary(existing), ics };
  const { version, createdAt } = existing ?? { version: 0, createdAt: now };
  return { ...toSummary({ namespace, name, version: version + 1, calendar, createdAt, updatedAt: now }), ics };
}

function checkPut(name: string, body: PutCalendar): { calendar: Calendar; ics: string | null } {
  if (!isName(name))
    throw invalid("name", "invalid_name", "A name has 1 to 128 letters, digits, dots, dashes or underscores.");
  if (body.name !== undefined && body.name !== name)
    throw invalid("/name", "name_mismatch", "The name in the body is not the one in the path.");
  const input = toInput(body);
  const read = readCalendar(input);
  if ("errors" in read) throw fieldsInvalid(read.errors);
  return { calendar: read.calendar, ics: input.ics };
}

function toInput({ timeZone, weekly = [], dates = [], ranges = [], ics }: PutCalendar): CalendarInput {
  return {
    timeZone,
    weekly: weekly.map(({ days, from = "00:00", to = "24:00" }) => ({ days, from, to })),
    dates,
    ranges,
    ics: ics ?? null,
  };
}

export async function getCalendar(deps: Deps, namespace: string, name: string): Promise<CalendarAnswer> {
  const record = isName(name) ? await deps.store.getCalendar(namespace, name) : null;
  if (!record) throw calendarNotFound(name);
  return { ...toSummary(record), ics: record.ics };
}

/** By name, without their iCalendar texts. */
export async function listCalendars(
  deps: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken }: ListCalendars,
): Promise<{ calendars: CalendarSummary[]; nextPageToken: string | null }> {
  const list = ["calendars", namespace];
  const page = await deps.store.listCalendars(namespace, { pageSize, after: readPageToken(list, pageToken) });
  return { calendars: page.items.map(toSummary), nextPageToken: writePageToken(list, page.next) };
}

/** Only one that no schedule names. */
export async function deleteCalendar(deps: Deps, namespace: string, name: string): Promise<void> {
  const answer = isName(name) ? await deps.store.deleteCalendar(namespace, name) : { kind: "not_found" as const };
  if (answer.kind === "not_found") throw calendarNotFound(name);
  if (answer.kind === "in_use") {
    const detail = `These schedules use the calendar ${name}: ${answer.schedules.join(", ")}.`;
    throw new CarillonError("calendar_in_use", { detail });
  }
}

function calendarNotFound(name: string): CarillonError {
  return new CarillonError("calendar_not_found", { detail: `There is no calendar ${name.slice(0, 128)}.` });
}

function toSummary({ namespace, name, version, calendar, createdAt, updatedAt }: CalendarRecord): CalendarSummary {
  const { timeZone, weekly, dates, ranges, events } = calendar;
  return {
    name,
    namespace,
    version,
    timeZone,
    weekly,
    dates,
    ranges,
    events: events.length,
    createdAt: formatInstant(createdAt),
    updatedAt: formatInstant(updatedAt),
  };
}

// --------------------------------------------------------------------------------------------------------- what schedules name

/** Calendars as they would be, by their names, in place of those that are stored. Throws `invalid_request` for what is wrong with them. */
export function readCalendars(inputs: Record<string, PutCalendar>): NamedCalendar[] {
  return Object.entries(inputs).map(([name, body]) => {
    const read = readCalendar(toInput(body));
    if ("calendar" in read) return { name, calendar: read.calendar };
    throw fieldsInvalid(read.errors.map((error) => ({ ...error, pointer: `/calendars/${name}${error.pointer}` })));
  });
}

export interface CalendarNames {
  excludes?: readonly string[] | undefined;
  includes?: readonly string[] | undefined;
}

/** The calendars of these names, those excluded first; `given` in place of those that are stored. Throws `invalid_request` for names that there are not. */
export async function findCalendars(
  { store }: Pick<Deps, "store">,
  namespace: string,
  names: CalendarNames,
  given: readonly NamedCalendar[] = [],
): Promise<NamedCalendar[]> {
  const { excludes = [], includes = [] } = names;
  if (excludes.length + includes.length === 0) return [];
  const wanted = new Set([...excludes, ...includes]);
  for (const { name } of given) wanted.delete(name);
  const found = [...given, ...(wanted.size === 0 ? [] : await store.calendars(namespace, [...wanted]))];
  const missing = [...excludes, ...includes].filter((name) => !found.some((one) => one.name === name));
  if (missing.length > 0) throw unknownCalendars(names, missing);
  const find = (name: string) => found.filter((one) => one.name === name);
  return [
    ...excludes.flatMap(find),
    ...includes.flatMap(find).map((one): NamedCalendar => ({ ...one, included: true })),
  ];
}

export function unknownCalendars(names: CalendarNames, missing: readonly string[]): CarillonError {
  return fieldsInvalid(
    (["excludes", "includes"] as const).flatMap((field) =>
      [...(names[field] ?? []).entries()]
        .filter(([, name]) => missing.includes(name))
        .map(([index, name]) => ({
          pointer: `/${field}/${index}`,
          code: "unknown_calendar",
          message: `There is no calendar ${name}.`,
        })),
    ),
  );
}

/** Throws `invalid_request` for a rule that fires, but never where its calendars leave it. */
export function checkCalendars(rule: ScheduleRule, calendars: readonly NamedCalendar[], now: number): void {
  if (calendars.length === 0 || rule.delay !== undefined || nextFireAt(rule, now - 1, calendars) !== null) return;
  const field = calendars.some(({ included }) => !included) ? "excludes" : "includes";
  throw invalid(`/${field}`, "cron_never_fires", "These calendars leave no fire from now on.");
}
