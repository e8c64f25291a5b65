/** What repeats once a year, as `RRULE:FREQ=YEARLY` says it: on a date, or on the nth weekday of a month. */

export interface Yearly {
  /** In every nth year from the first on. */
  interval: number;
  /** 0 January … 11 December. */
  month: number;
  /** A day of the month, in years that have it; null: `weekday` says which. */
  day: number | null;
  /** The nth (negative: from the end) of these in the month; `of` is 0 Monday … 6 Sunday. */
  weekday: { nth: number; of: number } | null;
  /** No start is later than this wall time. */
  until: number | null;
}

const DAY_MS = 86_400_000;
const LAST_YEAR = 2199;
const PARTS = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "WKST"];
const WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/** In this year, as wall time; null: not in this one. `first` is the first start. */
export function yearlyStart(yearly: Yearly, first: number, year: number): number | null {
  const date = new Date(first);
  if (year < date.getUTCFullYear() || (year - date.getUTCFullYear()) % yearly.interval !== 0) return null;
  const day = yearly.weekday === null ? dateOf(yearly, year) : weekdayOf(yearly.month, yearly.weekday, year);
  if (day === null) return null;
  const start = day + (first - Math.floor(first / DAY_MS) * DAY_MS);
  return start < first || (yearly.until !== null && start > yearly.until) ? null : start;
}

function dateOf({ month, day }: Yearly, year: number): number | null {
  const date = Date.UTC(year, month, day!);
  return new Date(date).getUTCMonth() === month ? date : null;
}

function weekdayOf(month: number, { nth, of }: { nth: number; of: number }, year: number): number | null {
  const edge = nth > 0 ? Date.UTC(year, month, 1) : Date.UTC(year, month + 1, 0);
  const ahead = nth > 0 ? (of - weekdayIndex(edge) + 7) % 7 : -((weekdayIndex(edge) - of + 7) % 7);
  const date = edge + (ahead + (nth > 0 ? nth - 1 : nth + 1) * 7) * DAY_MS;
  return new Date(date).getUTCMonth() === month ? date : null;
}

/** 0 Monday … 6 Sunday, of a wall time. */
export function weekdayIndex(wall: number): number {
  return (((Math.floor(wall / DAY_MS) + 3) % 7) + 7) % 7;
}

/**
 * The rule of an event that first starts at this wall time. What is wrong with it, or is not understood, comes back as a sentence.
 *
 * @param readUntil a time of iCalendar as the last wall time that it lets start; null for what is none
 */
export function readYearly(
  text: string,
  first: number,
  readUntil: (text: string) => number | null,
): Yearly | { problem: string } {
  const parts = new Map<string, string>();
  for (const part of text.toUpperCase().split(";")) {
    const [name = "", value = "", ...more] = part.split("=");
    if (!PARTS.includes(name))
      return { problem: `RRULE with ${name.slice(0, 32) || "an empty part"} is not understood.` };
    if (parts.has(name) || value === "" || more.length > 0) return { problem: `RRULE does not give one ${name}.` };
    parts.set(name, value);
  }
  const frequency = parts.get("FREQ");
  if (frequency !== "YEARLY") {
    return { problem: `RRULE with FREQ=${frequency?.slice(0, 32) ?? ""} is not understood, only FREQ=YEARLY is.` };
  }
  const interval = wholeNumber(parts.get("INTERVAL") ?? "1", 1_000);
  if (interval === null) return { problem: "INTERVAL of RRULE is a whole number from 1 to 1000." };
  const when = readDay(parts, first);
  if ("problem" in when) return when;
  return withEnd({ interval, ...when, until: null }, parts, first, readUntil);
}

function readDay(
  parts: Map<string, string>,
  first: number,
): Pick<Yearly, "month" | "day" | "weekday"> | { problem: string } {
  const date = new Date(first);
  const [month, day, weekday] = [parts.get("BYMONTH"), parts.get("BYMONTHDAY"), parts.get("BYDAY")];
  if (month === undefined && (day !== undefined || weekday !== undefined)) {
    return { problem: "RRULE with BYMONTHDAY or BYDAY is understood only with BYMONTH." };
  }
  if (day !== undefined && weekday !== undefined) {
    return { problem: "RRULE with both BYMONTHDAY and BYDAY is not understood." };
  }
  const monthNumber = month === undefined ? date.getUTCMonth() + 1 : wholeNumber(month, 12);
  if (monthNumber === null) return { problem: "BYMONTH of RRULE is understood as one month from 1 to 12." };
  if (weekday !== undefined) {
    const [, nth, of] = /^([+-]?[1-5])(MO|TU|WE|TH|FR|SA|SU)$/.exec(weekday) ?? [];
    if (nth === undefined) return { problem: "BYDAY of RRULE is understood as one such as 4TH or -1MO." };
    return { month: monthNumber - 1, day: null, weekday: { nth: Number(nth), of: WEEKDAYS.indexOf(of!) } };
  }
  const dayNumber = day === undefined ? date.getUTCDate() : wholeNumber(day, 31);
  if (dayNumber === null) return { problem: "BYMONTHDAY of RRULE is understood as one day from 1 to 31." };
  return { month: monthNumber - 1, day: dayNumber, weekday: null };
}

function withEnd(
  yearly: Yearly,
  parts: Map<string, string>,
  first: number,
  readUntil: (text: string) => number | null,
): Yearly | { problem: string } {
  const [count, until] = [parts.get("COUNT"), parts.get("UNTIL")];
  if (count !== undefined && until !== undefined) return { problem: "RRULE gives both COUNT and UNTIL." };
  if (until !== undefined) {
    const last = readUntil(until);
    return last === null ? { problem: "UNTIL of RRULE is no date." } : { ...yearly, until: last };
  }
  if (count === undefined) return yearly;
  const most = wholeNumber(count, 10_000);
  if (most === null) return { problem: "COUNT of RRULE is a whole number from 1 to 10000." };
  let left = most;
  for (let year = new Date(first).getUTCFullYear(); year <= LAST_YEAR; year++) {
    const start = yearlyStart(yearly, first, year);
    if (start !== null && --left === 0) return { ...yearly, until: start };
  }
  return yearly;
}

function wholeNumber(text: string, most: number): number | null {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= most ? number : null;
}
