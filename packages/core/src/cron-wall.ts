/** When a cron expression matches on a wall clock that never changes. Wall times are epoch milliseconds as if the clock showed UTC. */
import { type CronFields, type DaysOfMonth, type DaysOfWeek, LAST_YEAR } from "./cron-fields.ts";

const DAY = 86_400_000;

/** The first match at or after `wall`, which is a whole second; null if there is none until the end of 2199. */
export function nextWall(fields: CronFields, wall: number): number | null {
  const date = new Date(wall);
  let year = date.getUTCFullYear();
  let month = date.getUTCMonth() + 1;
  let day = date.getUTCDate();
  const today = nextTimeOfDay(fields, Math.floor((wall - Math.floor(wall / DAY) * DAY) / 1000));
  if (today !== null) {
    if (hasDay(fields, year, month, day)) return Math.floor(wall / DAY) * DAY + today * 1000;
  }
  day++;
  for (; year <= LAST_YEAR; year++, month = 1, day = 1) {
    if (fields.years && !fields.years.has(year)) continue;
    for (; month <= 12; month++, day = 1) {
      if (!fields.months.has(month)) continue;
      const left = day > 31 ? 0 : matchingDays(fields, year, month) & (-1 << (day - 1));
      if (left !== 0) return Date.UTC(year, month - 1, lowestDay(left)) + firstTimeOfDay(fields) * 1000;
    }
  }
  return null;
}

function hasDay(fields: CronFields, year: number, month: number, day: number): boolean {
  if ((fields.years && !fields.years.has(year)) || !fields.months.has(month) || year > LAST_YEAR) return false;
  return (matchingDays(fields, year, month) & (1 << (day - 1))) !== 0;
}

function firstTimeOfDay({ hours, minutes, seconds }: CronFields): number {
  return hours[0]! * 3600 + minutes[0]! * 60 + seconds[0]!;
}

/** Sorted, none empty. */
type TimesOfDay = Pick<CronFields, "hours" | "minutes" | "seconds">;

/** Seconds since midnight of the first match at or after `from` on a matching day; null: none left that day. */
export function nextTimeOfDay({ hours, minutes, seconds }: TimesOfDay, from: number): number | null {
  const hour = Math.floor(from / 3600);
  const minute = Math.floor(from / 60) % 60;
  if (hours.includes(hour)) {
    if (minutes.includes(minute)) {
      const second = firstFrom(seconds, from % 60);
      if (second !== null) return hour * 3600 + minute * 60 + second;
    }
    const laterMinute = firstFrom(minutes, minute + 1);
    if (laterMinute !== null) return hour * 3600 + laterMinute * 60 + seconds[0]!;
  }
  const laterHour = firstFrom(hours, hour + 1);
  return laterHour === null ? null : laterHour * 3600 + minutes[0]! * 60 + seconds[0]!;
}

function firstFrom(sorted: number[], from: number): number | null {
  for (const value of sorted) if (value >= from) return value;
  return null;
}

function lowestDay(days: number): number {
  return 32 - Math.clz32(days & -days);
}

/** Bit n − 1 for each day n of the month on which the expression matches. */
function matchingDays(fields: CronFields, year: number, month: number): number {
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const firstWeekday = new Date(Date.UTC(year, month - 1, 1)).getUTCDay();
  const byMonth = daysByMonth(fields.daysOfMonth, length, firstWeekday);
  const byWeek = daysByWeek(fields.daysOfWeek, length, firstWeekday);
  const valid = length === 31 ? 0x7fffffff : (1 << length) - 1;
  return (fields.dayRule === "or" ? byMonth | byWeek : byMonth & byWeek) & valid;
}

function daysByMonth(rule: DaysOfMonth, length: number, firstWeekday: number): number {
  let days = rule.days;
  for (const before of rule.beforeLast) if (before < length) days |= 1 << (length - before - 1);
  if (rule.lastWorkday) days |= 1 << (nearestWorkday(length, length, firstWeekday) - 1);
  if (rule.nearestWorkday !== null && rule.nearestWorkday <= length) {
    days |= 1 << (nearestWorkday(rule.nearestWorkday, length, firstWeekday) - 1);
  }
  return days;
}

/** Saturday goes back to Friday, Sunday on to Monday, but never into another month. */
function nearestWorkday(day: number, length: number, firstWeekday: number): number {
  const weekday = (firstWeekday + day - 1) % 7;
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === length ? day - 2 : day + 1;
  return day;
}

function daysByWeek(rule: DaysOfWeek, length: number, firstWeekday: number): number {
  let days = 0;
  for (let day = 1; day <= length; day++) {
    const bit = 1 << ((firstWeekday + day - 1) % 7);
    if (rule.days & bit || (rule.last & bit && day + 7 > length)) days |= 1 << (day - 1);
  }
  for (const { weekday, n } of rule.nth) {
    const day = 1 + ((weekday - firstWeekday + 7) % 7) + (n - 1) * 7;
    if (day <= length) days |= 1 << (day - 1);
  }
  return days;
}
