/** The grammar of cron expressions: text into sets of numbers. What the sets mean on the wall clock is in `cron-wall.ts`. */
import { resolveHash } from "./cron-hash.ts";
import { Refusal } from "./refusal.ts";

export const cronDialects = ["ocps", "vixie", "quartz", "aws"] as const;
/**
 * `ocps`: the Open Cron Pattern Specification 1.4, 5 to 7 fields, with `H` and with ranges that wrap. `vixie`: five fields, as the cron of
 * Linux systems reads them. `quartz`: 6 or 7 fields from seconds on, as the Java library. `aws`: six fields from minutes to years, as
 * Amazon EventBridge. What else differs is in `grammars`.
 */
export type CronDialect = (typeof cronDialects)[number];

interface Grammar {
  /** How many fields there may be, and in words. */
  counts: number[];
  wanted: string;
  seconds: "always" | "from six" | "never";
  /** The field for years is the last of so many; null: there is none. */
  yearsAt: number | null;
  dayOfWeek: CronField;
  nicknames: boolean;
  /** `L`, `W` and `#`. */
  extensions: boolean;
  /** `?` stands for a wildcard in a day field; in `one` of them it must. */
  question: "no" | "may" | "one";
  /** `+` before the day of the week: both days must match. */
  plus: boolean;
  hash: boolean;
  /** `22-2` goes past the end of the field. */
  wraps: boolean;
  /** `5/15` is short for `5-59/15`. */
  openSteps: boolean;
}

export interface CronFields {
  /** Sorted. */
  seconds: number[];
  minutes: number[];
  hours: number[];
  /** 1 to 12. */
  months: Set<number>;
  /** Null: every year. */
  years: Set<number> | null;
  daysOfMonth: DaysOfMonth;
  daysOfWeek: DaysOfWeek;
  /** How the two day fields meet: `or` when both are restricted, `and` when one begins with a wildcard or after a `+`. */
  dayRule: "and" | "or";
  /** A wildcard or a step in the hours: such a rule follows elapsed time through a change of the clock, not wall times. */
  rhythm: boolean;
  /** Steps that do not divide what they go through, like every 35th minute within an hour. */
  unevenSteps: { within: string; text: string }[];
  /** Some field has an `H`. */
  hashed: boolean;
  /** Five to seven fields as in `ocps`; nicknames and `H` are replaced by what they stand for. */
  text: string;
}

export interface DaysOfMonth {
  /** Bit n − 1 for day n. */
  days: number;
  /** Days before the last one: `L` is 0, `L-3` is 3. */
  beforeLast: number[];
  /** `LW` */
  lastWorkday: boolean;
  /** `15W`; null: none. */
  nearestWorkday: number | null;
}

export interface DaysOfWeek {
  /** Bit 0 for Sunday. */
  days: number;
  /** `MON#2` */
  nth: { weekday: number; n: number }[];
  /** `5L`, the last Friday; bits as above. */
  last: number;
}

export interface CronProblem {
  code: "cron_invalid" | "cron_never_fires" | "cron_reboot";
  message: string;
}

export const FIRST_YEAR = 1970;
export const LAST_YEAR = 2199;

const nicknames: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

interface CronField {
  name: string;
  /** What has so many of them. */
  within: string;
  low: number;
  high: number;
  names?: string[];
}

const second: CronField = { name: "second", within: "minute", low: 0, high: 59 };
const minute: CronField = { name: "minute", within: "hour", low: 0, high: 59 };
const hour: CronField = { name: "hour", within: "day", low: 0, high: 23 };
const dayOfMonth: CronField = { name: "day of month", within: "month", low: 1, high: 31 };
const month: CronField = {
  name: "month",
  within: "year",
  low: 1,
  high: 12,
  names: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" "),
};
const dayOfWeek: CronField = {
  name: "day of week",
  within: "week",
  low: 0,
  high: 7,
  names: "SUN MON TUE WED THU FRI SAT".split(" "),
};
/** Where Sunday is 1. */
const dayOfWeekFromOne: CronField = { ...dayOfWeek, low: 1 };
const year: CronField = { name: "year", within: "calendar", low: FIRST_YEAR, high: LAST_YEAR };

const grammars: Record<CronDialect, Grammar> = {
  ocps: {
    counts: [5, 6, 7],
    wanted: "five fields, six with seconds, or seven with seconds and years",
    seconds: "from six",
    yearsAt: 7,
    dayOfWeek,
    nicknames: true,
    extensions: true,
    question: "may",
    plus: true,
    hash: true,
    wraps: true,
    openSteps: false,
  },
  vixie: {
    counts: [5],
    wanted: "five fields",
    seconds: "never",
    yearsAt: null,
    dayOfWeek,
    nicknames: true,
    extensions: false,
    question: "no",
    plus: false,
    hash: false,
    wraps: false,
    openSteps: false,
  },
  quartz: {
    counts: [6, 7],
    wanted: "six fields beginning with seconds, or seven with years",
    seconds: "always",
    yearsAt: 7,
    dayOfWeek: dayOfWeekFromOne,
    nicknames: false,
    extensions: true,
    question: "one",
    plus: false,
    hash: false,
    wraps: true,
    openSteps: true,
  },
  aws: {
    counts: [6],
    wanted: "six fields, from minutes to years",
    seconds: "never",
    yearsAt: 6,
    dayOfWeek: dayOfWeekFromOne,
    nicknames: false,
    extensions: true,
    question: "one",
    plus: false,
    hash: false,
    wraps: false,
    openSteps: true,
  },
};

const MAX_LENGTH = 256;

/** Whether the name that `H` is spread by may matter. */
export function isHashed(expression: string): boolean {
  return /(?:^|[\s,+])H/i.test(expression);
}

export function parseFields(expression: string, dialect: CronDialect, hashKey = ""): CronFields | CronProblem {
  try {
    return readExpression(expression, grammars[dialect], hashKey);
  } catch (error) {
    if (error instanceof Refusal) return { code: "cron_invalid", message: error.message };
    throw error;
  }
}

function readExpression(expression: string, grammar: Grammar, hashKey: string): CronFields | CronProblem {
  if (expression.length > MAX_LENGTH) throw new Refusal(`A cron expression has at most ${MAX_LENGTH} characters.`);
  let text = expression.replace(/^[ \t]+|[ \t]+$/g, "");
  if (text === "@reboot") {
    return { code: "cron_reboot", message: "@reboot names no time: nothing starts a schedule when a machine boots." };
  }
  if (text.startsWith("@") && grammar.nicknames) {
    const meant = Object.hasOwn(nicknames, text) ? nicknames[text] : undefined;
    if (!meant) throw new Refusal(`Unknown nickname; there are ${Object.keys(nicknames).join(", ")}.`);
    text = meant;
  }
  const parts = text.split(/[ \t]+/);
  if (text === "" || !grammar.counts.includes(parts.length)) {
    throw new Refusal(`A cron expression has ${grammar.wanted}; this one has ${text === "" ? 0 : parts.length}.`);
  }
  const years = parts.length === grammar.yearsAt ? parts.pop()! : "*";
  const hasSeconds = grammar.seconds === "always" || (grammar.seconds === "from six" && parts.length === 6);
  const given = hasSeconds ? parts : ["0", ...parts];
  const fields = [second, minute, hour, dayOfMonth, month, grammar.dayOfWeek];
  const resolved = grammar.hash ? fields.map((field, index) => resolveHash(given[index]!, field, hashKey)) : given;
  const [seconds, minutes, hours, domText, months, dowText] = resolved as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (grammar.question === "one" && (domText === "?") === (dowText === "?")) {
    throw new Refusal(
      "Exactly one of day of month and day of week is ? in this dialect: the one that is not restricted.",
    );
  }
  const dayRule = startsWild(domText) || startsWild(dowText) || dowText.startsWith("+") ? "and" : "or";
  return {
    seconds: readList(seconds, second, grammar),
    minutes: readList(minutes, minute, grammar),
    hours: readList(hours, hour, grammar),
    months: new Set(readList(months, month, grammar)),
    years: years === "*" ? null : new Set(readList(years, year, grammar)),
    daysOfMonth: readDaysOfMonth(domText, grammar),
    daysOfWeek: readDaysOfWeek(dowText, grammar),
    dayRule,
    rhythm: /[*/]/.test(hours),
    unevenSteps: fields.flatMap((field, index) => unevenSteps(given[index]!, field)),
    hashed: resolved.some((field, index) => field !== given[index]),
    text: [
      ...(hasSeconds || years !== "*" ? [seconds] : []),
      minutes,
      hours,
      domText,
      months,
      grammar.dayOfWeek.low === 1 ? countFromZero(dowText) : dowText,
      ...(years === "*" ? [] : [years]),
    ].join(" "),
  };
}

/** Days of the week that count from 1 as ones that count from 0; the numbers of `#` and of steps stay. */
function countFromZero(dowText: string): string {
  return dowText.toUpperCase() === "L" ? "6" : dowText.replace(/(^|[,-])(\d)/g, (_, before, n) => `${before}${n - 1}`);
}

function startsWild(text: string): boolean {
  return text.startsWith("*") || text.startsWith("?");
}

/** Wildcards, values, ranges, steps over a wildcard or range, and lists of them. Sorted, each once. */
function readList(text: string, field: CronField, grammar: Grammar): number[] {
  const values = new Set<number>();
  for (const element of text.split(",")) for (const value of readElement(element, field, grammar)) values.add(value);
  return [...values].sort((a, b) => a - b);
}

function readElement(element: string, field: CronField, { wraps, openSteps }: Grammar): number[] {
  const [range = "", stepText, ...more] = element.split("/");
  if (more.length > 0) throw new Refusal(`${quoted(element, field)} has more than one step.`);
  const [lowText = "", highText, ...rest] = range.split("-");
  if (rest.length > 0) throw new Refusal(`${quoted(element, field)} is not understood.`);
  const size = sizeOf(field);
  let low = field.low;
  let high = field.low + size - 1;
  if (range !== "*") {
    low = readValue(lowText, element, field);
    if (highText !== undefined) high = readValue(highText, element, field);
    else if (stepText === undefined) high = low;
    else if (!openSteps) {
      throw new Refusal(`${quoted(element, field)}: a step needs a range; write ${lowText}-${field.high}/${stepText}.`);
    }
    if (high === 0 && low > 0 && /^sun$/i.test(highText ?? "")) high = 7;
    if (high < low) {
      if (!wraps || field === year)
        throw new Refusal(`${quoted(element, field)} runs backwards; write it as two ranges.`);
      high += size;
    }
  }
  const step = stepText === undefined ? 1 : readStep(stepText, element, field);
  const values: number[] = [];
  for (let value = low; value <= high; value += step) values.push(field.low + ((value - field.low) % size));
  return values;
}

/** Sunday may be 7 where it is 0. */
function sizeOf(field: CronField): number {
  return field.within === "week" ? 7 : field.high - field.low + 1;
}

function readValue(text: string, element: string, field: CronField): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + field.low;
  if (!/^\d{1,4}$/.test(text)) throw new Refusal(`${quoted(element, field)} is not understood.`);
  const value = Number(text);
  if (value < field.low || value > field.high) {
    throw new Refusal(`${quoted(element, field)}: ${value} is not between ${field.low} and ${field.high}.`);
  }
  return value;
}

function readStep(text: string, element: string, field: CronField): number {
  if (!/^\d{1,4}$/.test(text)) throw new Refusal(`${quoted(element, field)} has no step after the slash.`);
  if (Number(text) === 0) throw new Refusal(`${quoted(element, field)}: a step of 0 stands still.`);
  return Number(text);
}

function quoted(element: string, field: CronField): string {
  return `"${element}" in the ${field.name}`;
}

function readDaysOfMonth(text: string, grammar: Grammar): DaysOfMonth {
  const result: DaysOfMonth = { days: 0, beforeLast: [], lastWorkday: false, nearestWorkday: null };
  const elements = text === "?" && grammar.question !== "no" ? ["*"] : text.split(",");
  for (const element of elements) {
    const extension = grammar.extensions ? element.toUpperCase() : "";
    const last = /^L(?:-(\d{1,2}))?$/.exec(extension);
    const workday = /^(\d{1,2}|L)W$/.exec(extension);
    if (last) {
      const before = Number(last[1] ?? 0);
      if (before > 30) throw new Refusal(`${quoted(element, dayOfMonth)}: no month has so many days.`);
      result.beforeLast.push(before);
    } else if (workday) {
      if (elements.length > 1) throw new Refusal(`${quoted(element, dayOfMonth)}: W stands alone, not in a list.`);
      if (workday[1] === "L") result.lastWorkday = true;
      else result.nearestWorkday = readValue(workday[1]!, element, dayOfMonth);
    } else {
      for (const day of readElement(element, dayOfMonth, grammar)) result.days |= 1 << (day - 1);
    }
  }
  return result;
}

function readDaysOfWeek(text: string, grammar: Grammar): DaysOfWeek {
  const field = grammar.dayOfWeek;
  const result: DaysOfWeek = { days: 0, nth: [], last: 0 };
  let list = grammar.plus ? text.replace(/^\+/, "") : text;
  if (list === "?" && grammar.question !== "no") list = "*";
  // Alone it is the last day of the week.
  if (list.toUpperCase() === "L" && field === dayOfWeekFromOne) list = "SAT";
  for (const element of list.split(",")) {
    const extension = grammar.extensions ? /^([^#]+?)(?:#([1-5L])|(L))$/i.exec(element) : null;
    if (!extension || (extension[2]?.toUpperCase() === "L" && field === dayOfWeekFromOne)) {
      for (const day of readElement(element, field, grammar)) result.days |= 1 << weekdayOf(day, field);
      continue;
    }
    const weekday = weekdayOf(readValue(extension[1]!, element, field), field);
    const n = Number(extension[2]);
    if (n >= 1) result.nth.push({ weekday, n });
    else result.last |= 1 << weekday;
  }
  return result;
}

/** 0 for Sunday. */
function weekdayOf(day: number, field: CronField): number {
  return (day - field.low) % 7;
}

/** Only over all of a field: whoever writes a range means its borders. Months have no length that a step could divide. */
function unevenSteps(text: string, field: CronField): CronFields["unevenSteps"] {
  return text
    .split(",")
    .filter((element) => {
      const [, over, step = "1"] = /^\+?(\*|H|\d+)\/(\d+)$/i.exec(element) ?? [];
      if (Number(step) <= 1 || (/\d/.test(over!) && Number(over) !== field.low)) return false;
      return field === dayOfMonth || sizeOf(field) % Number(step) !== 0;
    })
    .map((element) => ({ within: field.within, text: element }));
}
