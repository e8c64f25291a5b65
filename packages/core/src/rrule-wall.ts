/**
 * When a recurrence rule matches on a wall clock that never changes. Wall times are epoch milliseconds as if the clock showed UTC.
 *
 * The days on which a rule matches are bits of a month, found a month at a time and kept; months and years that cannot match are skipped
 * whole. Rules by the hour, minute or second leap from one allowed stretch of a day to the next. So a search that finds nothing until the
 * end of 2199 looks at 63,000 days at most, and takes at most about as many steps.
 */
import { LAST_YEAR } from "./cron-fields.ts";
import { nextTimeOfDay } from "./cron-wall.ts";
import type { RruleParts } from "./rrule-fields.ts";

const DAY = 86_400_000;
/** The day after the last one, counted from 1 January 1970. */
const END_DAY = Date.UTC(LAST_YEAR + 1, 0, 1) / DAY;

/** A rule in which what the text left out is taken from the start, as the RFC says. */
export interface CompleteRrule extends RruleParts {
  start: number;
}

/** What is missing in the rule is as at the start: its time of day, and its day of the year, month or week. */
export function completeRrule(rule: RruleParts, start: number): CompleteRrule {
  const date = new Date(start);
  const { frequency } = rule;
  const complete: CompleteRrule = { ...rule, start };
  if (frequency !== "SECONDLY") complete.seconds ??= [date.getUTCSeconds()];
  if (frequency !== "SECONDLY" && frequency !== "MINUTELY") complete.minutes ??= [date.getUTCMinutes()];
  if (dayFrequencies.includes(frequency)) complete.hours ??= [date.getUTCHours()];
  const weekday = [{ weekday: date.getUTCDay(), n: 0 }];
  if (rule.weekdays || rule.monthDays || rule.yearDays) return complete;
  if (rule.weeks || frequency === "WEEKLY") return { ...complete, weekdays: weekday };
  if (frequency !== "YEARLY" && frequency !== "MONTHLY") return complete;
  const months = frequency === "YEARLY" ? (rule.months ?? [date.getUTCMonth() + 1]) : rule.months;
  return { ...complete, monthDays: [date.getUTCDate()], months };
}

const dayFrequencies = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"];

/** The first match at or after a wall time, which is a whole second; null: none until the end of 2199. Nothing matches before the start. */
export type NextWall = (wall: number) => number | null;

export function nextWallOf(rule: CompleteRrule): NextWall {
  const days = matchingDays(rule);
  const next = !dayFrequencies.includes(rule.frequency)
    ? withinDays(rule, days)
    : rule.positions && rule.frequency !== "DAILY"
      ? byPosition(rule, days, rule.positions)
      : byDay(rule, days);
  // A zone's segments are asked one after the other for what often is the same far match.
  let known: { from: number; match: number | null } | null = null;
  return (wall) => {
    const from = Math.max(wall, rule.start);
    if (known && from >= known.from && (known.match === null || from <= known.match)) return known.match;
    const match = next(from);
    known = { from, match };
    return match;
  };
}

// ------------------------------------------------------------------------------------------------------------------- by day

/** Some times on each matching day. */
function byDay(rule: CompleteRrule, days: Days): NextWall {
  const times = timesOf(rule);
  const chosen = rule.positions && choose(times.count, rule.positions).map(times.at);
  const nextTime = chosen ? (from: number) => chosen.find((time) => time >= from) ?? null : times.next;
  const first = nextTime(0);
  return (wall) => {
    if (first === null) return null;
    const today = Math.floor(wall / DAY);
    const time = nextTime((wall - today * DAY) / 1000);
    if (time !== null && days.next(today) === today) return today * DAY + time * 1000;
    const later = days.next(today + 1);
    return later === null ? null : later * DAY + first * 1000;
  };
}

/** Of each year, month or week, those at certain places among all times of all its matching days. */
function byPosition(rule: CompleteRrule, days: Days, positions: number[]): NextWall {
  const times = timesOf(rule);
  return (wall) => {
    for (let day = days.next(periodAt(rule, Math.floor(wall / DAY)).from); day !== null; ) {
      const { from, until } = periodAt(rule, day);
      const matching: number[] = [];
      for (let at = days.next(from); at !== null && at < until; at = days.next(at + 1)) matching.push(at);
      for (const place of choose(matching.length * times.count, positions)) {
        const at = matching[Math.floor(place / times.count)]! * DAY + times.at(place % times.count) * 1000;
        if (at >= wall) return at;
      }
      day = days.next(until);
    }
    return null;
  };
}

/** Places from 0 on, in order, of those that there are among so many. */
function choose(count: number, positions: number[]): number[] {
  const places = positions.map((position) => (position > 0 ? position - 1 : count + position));
  return [...new Set(places)].filter((place) => place >= 0 && place < count).sort((a, b) => a - b);
}

/** The year, month or week of a day, as days counted from 1 January 1970. */
function periodAt({ frequency, weekStart }: CompleteRrule, day: number): { from: number; until: number } {
  if (frequency === "WEEKLY") {
    const from = day - ((day + 4 - weekStart + 7) % 7);
    return { from, until: from + 7 };
  }
  const date = new Date(day * DAY);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  if (frequency === "MONTHLY") return { from: Date.UTC(year, month) / DAY, until: Date.UTC(year, month + 1) / DAY };
  return { from: Date.UTC(year, 0) / DAY, until: Date.UTC(year + 1, 0) / DAY };
}

interface Times {
  count: number;
  /** Seconds since midnight of the one at this place, from 0 on. */
  at(place: number): number;
  /** Of the first one at or after `from`; null: none that day. */
  next(from: number): number | null;
}

function timesOf(rule: CompleteRrule): Times {
  const fields = { hours: rule.hours!, minutes: rule.minutes!, seconds: rule.seconds! };
  const perHour = fields.minutes.length * fields.seconds.length;
  return {
    count: fields.hours.length * perHour,
    at(place) {
      const minute = fields.minutes[Math.floor((place % perHour) / fields.seconds.length)]!;
      return (
        fields.hours[Math.floor(place / perHour)]! * 3600 + minute * 60 + fields.seconds[place % fields.seconds.length]!
      );
    },
    next: (from) => nextTimeOfDay(fields, from),
  };
}

// -------------------------------------------------------------------------------------------------------------- within days

/** Of the frequencies within days. */
export const unitSeconds: Record<string, number> = { HOURLY: 3600, MINUTELY: 60, SECONDLY: 1 };
const all = (count: number) => Array.from({ length: count }, (_, value) => value);

/** Every so many hours, minutes or seconds, of which the BY… parts leave some out. */
function withinDays(rule: CompleteRrule, days: Days): NextWall {
  const { frequency, interval, start } = rule;
  const unit = unitSeconds[frequency]!;
  const perDay = 86_400 / unit;
  const first = Math.floor(start / 1000 / unit);
  /** Where in a day a period may begin. */
  const begins = {
    hours: rule.hours ?? all(24),
    minutes: frequency === "HOURLY" ? [0] : (rule.minutes ?? all(60)),
    seconds: frequency === "SECONDLY" ? (rule.seconds ?? all(60)) : [0],
  };
  const offsets = offsetsWithin(rule);
  if (offsets.length === 0 || !canMeet(begins, unit, greatestCommonDivisor(interval, perDay), first)) return () => null;
  return (wall) => {
    const second = wall / 1000;
    let period = Math.floor(second / unit);
    while (true) {
      period = first + Math.ceil((period - first) / interval) * interval;
      const today = Math.floor(period / perDay);
      const day = days.next(today);
      if (day === null) return null;
      const time = nextTimeOfDay(begins, day > today ? 0 : (period - today * perDay) * unit);
      const next = time === null ? (day + 1) * perDay : day * perDay + time / unit;
      if (next > period) {
        period = next;
        continue;
      }
      const offset = offsets.find((offset) => period * unit + offset >= second);
      if (offset !== undefined) return (period * unit + offset) * 1000;
      period++;
    }
  };
}

/** Seconds after the beginning of an hour or minute that matches. */
function offsetsWithin({ frequency, minutes, seconds, positions }: CompleteRrule): number[] {
  const offsets =
    frequency === "HOURLY"
      ? minutes!.flatMap((minute) => seconds!.map((second) => minute * 60 + second))
      : frequency === "MINUTELY"
        ? seconds!
        : [0];
  return positions ? choose(offsets.length, positions).map((place) => offsets[place]!) : offsets;
}

/** Whether the rhythm can ever meet a time that is allowed: both look alike to the greatest length that divides the interval and a day. */
function canMeet(
  { hours, minutes, seconds }: { hours: number[]; minutes: number[]; seconds: number[] },
  unit: number,
  divisor: number,
  first: number,
): boolean {
  if (divisor === 1) return true;
  const wanted = ((first % divisor) + divisor) % divisor;
  return hours.some((hour) =>
    minutes.some((minute) =>
      seconds.some((second) => ((hour * 3600 + minute * 60 + second) / unit) % divisor === wanted),
    ),
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

// --------------------------------------------------------------------------------------------------------------------- days

/** Days are counted from 1 January 1970. */
interface Days {
  /** The first matching one from this one on; null: none until the end of 2199. */
  next(day: number): number | null;
}

interface Day {
  number: number;
  /** Sunday is 0. */
  weekday: number;
  /** From 1 on. */
  monthDay: number;
  monthLength: number;
  yearDay: number;
  year: number;
}

function matchingDays(rule: CompleteRrule): Days {
  const conditions = conditionsOf(rule);
  const months = new Map<number, number>();
  const startMonth = monthOf(rule.start / DAY);

  /** Bit n − 1 for each day n of the month, which is counted from January 1970. */
  function bitsOf(index: number): number {
    const year = 1970 + Math.floor(index / 12);
    const month = index % 12;
    if (rule.months && !rule.months.includes(month + 1)) return 0;
    if (rule.frequency === "MONTHLY" && (index - startMonth) % rule.interval !== 0) return 0;
    const number = Date.UTC(year, month) / DAY;
    const monthLength = Date.UTC(year, month + 1) / DAY - number;
    const day: Day = {
      number,
      weekday: (number + 4) % 7,
      monthDay: 1,
      monthLength,
      yearDay: number - Date.UTC(year, 0) / DAY + 1,
      year,
    };
    let bits = 0;
    for (; day.monthDay <= monthLength; day.monthDay++) {
      if (conditions.every((holds) => holds(day))) bits |= 1 << (day.monthDay - 1);
      day.number++;
      day.yearDay++;
      day.weekday = day.weekday === 6 ? 0 : day.weekday + 1;
    }
    return bits;
  }

  return {
    next(from) {
      if (from >= END_DAY) return null;
      const first = Math.max(0, from);
      let month = monthOf(first);
      let left = -1 << (first - firstDayOf(month));
      for (; month < MONTHS; month++, left = -1) {
        if (rule.frequency === "YEARLY" && rule.interval > 1) {
          const years = (Math.floor(month / 12) - Math.floor(startMonth / 12)) % rule.interval;
          if (years !== 0) {
            month = (Math.floor(month / 12) + (years > 0 ? rule.interval - years : -years)) * 12 - 1;
            continue;
          }
        }
        let bits = months.get(month);
        if (bits === undefined) {
          if (months.size >= 1_200) months.clear();
          months.set(month, (bits = bitsOf(month)));
        }
        bits &= left;
        if (bits !== 0) return firstDayOf(month) + 31 - Math.clz32(bits & -bits);
      }
      return null;
    },
  };
}

const MONTHS = (LAST_YEAR + 1 - 1970) * 12;
const firstDays = Int32Array.from({ length: MONTHS + 1 }, (_, month) => Date.UTC(1970, month) / DAY);

function firstDayOf(month: number): number {
  return firstDays[month]!;
}

function monthOf(day: number): number {
  const guess = Math.floor(day / 30.436_875);
  if (firstDays[guess]! > day) return guess - 1;
  return firstDays[guess + 1]! <= day ? guess + 1 : guess;
}

type Condition = (day: Day) => boolean;

/** What a day must be, beside its month and the interval of years and months. */
function conditionsOf({
  frequency,
  interval,
  start,
  weekStart,
  weekdays,
  monthDays,
  yearDays,
  weeks,
  months,
}: CompleteRrule): Condition[] {
  const conditions: Condition[] = [];
  const firstDay = Math.floor(start / DAY);
  if (frequency === "DAILY" && interval > 1) conditions.push((day) => (day.number - firstDay) % interval === 0);
  if (frequency === "WEEKLY" && interval > 1) {
    // 1 January 1970 was a Thursday.
    const weekOf = (day: number) => Math.floor((day + 4 - weekStart) / 7);
    const firstWeek = weekOf(firstDay);
    conditions.push((day) => (weekOf(day.number) - firstWeek) % interval === 0);
  }
  if (monthDays) {
    const set = new Set(monthDays);
    conditions.push((day) => set.has(day.monthDay) || set.has(day.monthDay - day.monthLength - 1));
  }
  if (yearDays) {
    const set = new Set(yearDays);
    conditions.push((day) => set.has(day.yearDay) || set.has(day.yearDay - yearLength(day.year) - 1));
  }
  if (weekdays) {
    const every = new Set(weekdays.filter(({ n }) => n === 0).map(({ weekday }) => weekday));
    const numbered = weekdays.filter(({ n }) => n !== 0);
    const inMonth = frequency === "MONTHLY" || months !== null;
    conditions.push((day) => every.has(day.weekday) || numbered.some((nth) => isNth(day, nth, inMonth)));
  }
  if (weeks) {
    const set = new Set(weeks);
    conditions.push((day) => isInWeeks(day, set, weekStart));
  }
  return conditions;
}

function isNth(day: Day, { weekday, n }: { weekday: number; n: number }, inMonth: boolean): boolean {
  if (day.weekday !== weekday) return false;
  const place = inMonth ? day.monthDay : day.yearDay;
  const length = inMonth ? day.monthLength : yearLength(day.year);
  return n > 0 ? Math.ceil(place / 7) === n : Math.ceil((length - place + 1) / 7) === -n;
}

/** A week is one of the year that holds its fourth day, so that the first week has at least four days of its year. */
function isInWeeks({ weekday, yearDay, year }: Day, weeks: Set<number>, weekStart: number): boolean {
  let fourth = yearDay + 3 - ((weekday - weekStart + 7) % 7);
  let length = yearLength(year);
  if (fourth < 1) {
    length = yearLength(year - 1);
    fourth += length;
  } else if (fourth > length) {
    fourth -= length;
    length = yearLength(year + 1);
  }
  const count = Math.ceil((length - ((fourth - 1) % 7)) / 7);
  const week = Math.ceil(fourth / 7);
  return weeks.has(week) || weeks.has(week - count - 1);
}

function yearLength(year: number): number {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 366 : 365;
}
