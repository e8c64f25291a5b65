/** Named days and hours, which schedules leave out or keep to. A calendar is data; `readCalendar` makes it of what somebody wrote. */
import type { FieldError } from "./errors.ts";
import { type CalendarEvent, readIcs } from "./ics.ts";
import { canonicalTimeZone } from "./zone.ts";

export const weekdays = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"] as const;
export type Weekday = (typeof weekdays)[number];

/** Each week on these days from one time of the day to another, `24:00` at the latest; one that ends before it begins ends on the next day. */
export interface WeeklyWindow {
  days: Weekday[];
  from: string;
  to: string;
}

/** Everything is on the wall clock of `timeZone`. */
export interface Calendar {
  timeZone: string;
  weekly: WeeklyWindow[];
  /** Whole days. */
  dates: string[];
  /** `from <= t < to`, each a date (its midnight) or a date with a time. */
  ranges: { from: string; to: string }[];
  /** What was read of iCalendar text. */
  events: CalendarEvent[];
}

export interface CalendarInput extends Omit<Calendar, "events"> {
  ics: string | null;
}

/** A calendar under the name by which schedules know it. */
export interface NamedCalendar {
  name: string;
  calendar: Calendar;
  /** Of a schedule that includes it; left out: it excludes it. */
  included?: true;
}

const DAY_MS = 86_400_000;

/** All that is wrong with it, field by field, when it cannot be stored. */
export function readCalendar({ ics, ...fields }: CalendarInput): { calendar: Calendar } | { errors: FieldError[] } {
  const timeZone = canonicalTimeZone(fields.timeZone);
  const errors: FieldError[] = [
    ...(timeZone === null ? [unknownZone(fields.timeZone)] : []),
    ...fields.weekly.flatMap((window, index) => checkWindow(window, `/weekly/${index}`)),
    ...fields.dates.flatMap((date, index) => (isDate(date) ? [] : [invalidDate(`/dates/${index}`)])),
    ...fields.ranges.flatMap((range, index) => checkRange(range, `/ranges/${index}`)),
  ];
  const read = ics === null || timeZone === null ? { events: [] } : readIcs(ics, timeZone);
  if ("error" in read) errors.push(read.error);
  if (timeZone === null || "error" in read || errors.length > 0) return { errors };
  return { calendar: { ...fields, timeZone, events: read.events } };
}

function unknownZone(timeZone: string): FieldError {
  const message = `"${timeZone.slice(0, 64)}" is no IANA time zone such as Europe/Paris or UTC.`;
  return { pointer: "/timeZone", code: "unknown_time_zone", message };
}

function checkWindow({ from, to }: WeeklyWindow, pointer: string): FieldError[] {
  const message = "A time of the day such as 08:00, at the end 24:00 too.";
  const errors: FieldError[] = [];
  if (parseClock(from) === null || from === "24:00")
    errors.push({ pointer: `${pointer}/from`, code: "invalid_time", message });
  if (parseClock(to) === null) errors.push({ pointer: `${pointer}/to`, code: "invalid_time", message });
  if (errors.length > 0 || from !== to) return errors;
  return [{ pointer: `${pointer}/to`, code: "empty_window", message: "The whole day is from 00:00 to 24:00." }];
}

function checkRange({ from, to }: { from: string; to: string }, pointer: string): FieldError[] {
  const [start, end] = [parseWall(from), parseWall(to)];
  if (start === null || end === null) {
    return [
      ...(start === null ? [invalidDate(`${pointer}/from`)] : []),
      ...(end === null ? [invalidDate(`${pointer}/to`)] : []),
    ];
  }
  if (end > start) return [];
  const message = "The end is not after the beginning; it is itself not part of the range.";
  return [{ pointer: `${pointer}/to`, code: "ends_before_start", message }];
}

function invalidDate(pointer: string): FieldError {
  const also = pointer.startsWith("/ranges") ? ", or with a time 2026-12-24T14:00" : "";
  return { pointer, code: "invalid_date", message: `A date such as 2026-12-24${also}, in the years 1970 to 2199.` };
}

const isDate = (text: string) => text.length === 10 && parseWall(text) !== null;

/** `22:00` as milliseconds since midnight. */
export function parseClock(text: string): number | null {
  if (text === "24:00") return DAY_MS;
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  return hour === undefined ? null : (Number(hour) * 60 + Number(minute)) * 60_000;
}

/** `2026-12-24` or `2026-12-24T14:00` as wall time. */
export function parseWall(text: string): number | null {
  const [, year, month, day, hour = "00", minute = "00"] =
    /^(\d{4})-(\d\d)-(\d\d)(?:T([01]\d|2[0-3]):([0-5]\d))?$/.exec(text) ?? [];
  const wall = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
  if (!(Number(year) >= 1970 && Number(year) < 2200)) return null;
  // Date.UTC carries 30 February over into March.
  return new Date(wall).toISOString().startsWith(`${year}-${month}-${day}T`) ? wall : null;
}
