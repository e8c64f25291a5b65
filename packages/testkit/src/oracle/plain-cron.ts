/**
 * The plainest reading of a cron expression: asks of one value at a time whether the text names it. It knows nothing of the product's
 * parser, refuses nothing, and is right for what the product accepts. `H` is not read: where it falls is the product's choice.
 */
export interface PlainRule {
  /** A wildcard or a step in the hours. */
  rhythm: boolean;
  /** Fires at other seconds than 0. */
  usesSeconds: boolean;
  /** Of a wall time. */
  onDay(wall: number): boolean;
  inHour(hour: number): boolean;
  inMinute(minute: number): boolean;
  inSecond(second: number): boolean;
}

export type Dialect = "ocps" | "vixie" | "quartz" | "aws";

const DAY = 86_400_000;
const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const NICKNAMES: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** The values that a field goes through, and what they may be called. */
interface Circle {
  low: number;
  size: number;
  names: string[];
  firstName: number;
}

const circle = (low: number, high: number, names: string[] = [], firstName = low): Circle => ({
  low,
  size: high - low + 1,
  names,
  firstName,
});

export function readPlainly(expression: string, dialect: Dialect = "ocps"): PlainRule {
  const parts = (NICKNAMES[expression.trim()] ?? expression).toUpperCase().trim().split(/\s+/);
  const years = parts.length === 7 || dialect === "aws" ? parts.pop()! : "*";
  if (parts.length === 5) parts.unshift("0");
  const [seconds, minutes, hours, daysOfMonth, months, daysOfWeek] = parts as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const sunday = dialect === "quartz" || dialect === "aws" ? 1 : 0;
  const week = circle(sunday, sunday + 6, WEEKDAYS);
  const isYear = remembered((value) => names(years, value, circle(1970, 2199)));
  const isMonth = remembered((value) => names(months, value, circle(1, 12, MONTHS)));
  const onDayOfMonth = daysOfMonth.split(",").map(dayOfMonth);
  const onDayOfWeek = daysOfWeek
    .replace("+", "")
    .split(",")
    .map((element) => dayOfWeek(element, week));
  const either = !/^[*?]/.test(daysOfMonth) && !/^[*?+]/.test(daysOfWeek);
  const isNamed = (wall: number) => {
    const date = new Date(wall);
    if (!isYear(date.getUTCFullYear()) || !isMonth(date.getUTCMonth() + 1)) return false;
    const byMonth = onDayOfMonth.some((is) => is(date));
    const byWeek = onDayOfWeek.some((is) => is(date));
    return either ? byMonth || byWeek : byMonth && byWeek;
  };
  const isDay = remembered((day) => isNamed(day * DAY));
  const flags = (text: string, size: number) =>
    Array.from({ length: size }, (_, value) => names(text, value, circle(0, size - 1)));
  const [secondFlags, minuteFlags, hourFlags] = [flags(seconds, 60), flags(minutes, 60), flags(hours, 24)];
  return {
    rhythm: /[*/]/.test(hours),
    usesSeconds: secondFlags.lastIndexOf(true) > 0,
    onDay: (wall) => isDay(Math.floor(wall / DAY)),
    inHour: (hour) => hourFlags[hour]!,
    inMinute: (minute) => minuteFlags[minute]!,
    inSecond: (second) => secondFlags[second]!,
  };
}

/** Does this list name the value? */
function names(list: string, value: number, within: Circle): boolean {
  return list.split(",").some((element) => {
    const [range = "", step] = element.split("/");
    const ends = range.split("-");
    const isWild = range === "*" || range === "?";
    const low = isWild ? within.low : named(ends[0]!, within);
    const isOpen = isWild || (ends.length === 1 && step !== undefined);
    let high = isOpen ? within.low + within.size - 1 : named(ends.at(-1)!, within);
    if (high < low) high += within.size;
    for (let at = low; at <= high; at += Number(step ?? 1)) {
      if (within.low + ((at - within.low) % within.size) === value) return true;
    }
    return false;
  });
}

function named(text: string, { names, firstName }: Circle): number {
  const index = names.indexOf(text);
  return index < 0 ? Number(text) : index + firstName;
}

type OnDate = (date: Date) => boolean;

function dayOfMonth(element: string): OnDate {
  const last = /^L(?:-(\d+))?$/.exec(element);
  if (last) return (date) => date.getUTCDate() === lengthOf(date) - Number(last[1] ?? 0);
  const near = /^(\d+|L)W$/.exec(element);
  if (!near) {
    const isDay = remembered((day) => names(element, day, circle(1, 31)));
    return (date) => isDay(date.getUTCDate());
  }
  return (date) => {
    const length = lengthOf(date);
    const wanted = near[1] === "L" ? length : Number(near[1]);
    if (wanted > length) return false;
    // Of the workdays of that month the nearest one; two are never equally near.
    const weekdayOf = (day: number) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay();
    const workdays = Array.from({ length }, (_, index) => index + 1).filter((day) => weekdayOf(day) % 6 !== 0);
    const nearest = workdays.reduce((a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a));
    return date.getUTCDate() === nearest;
  };
}

function dayOfWeek(element: string, week: Circle): OnDate {
  if (element === "L") return (date) => date.getUTCDay() === 6;
  const [, which = element, nth] = /^(.+)#([1-5L])$/.exec(element) ?? /^(.+)(L)$/.exec(element) ?? [];
  const isWeekday = remembered((value) => names(which, value, week));
  return (date) => {
    if (!isWeekday(week.low + date.getUTCDay())) return false;
    if (nth === "L") return date.getUTCDate() + 7 > lengthOf(date);
    return nth === undefined || Math.ceil(date.getUTCDate() / 7) === Number(nth);
  };
}

function lengthOf(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

function remembered(answer: (value: number) => boolean): (value: number) => boolean {
  const known = new Map<number, boolean>();
  return (value) => {
    let is = known.get(value);
    if (is === undefined) known.set(value, (is = answer(value)));
    return is;
  };
}
