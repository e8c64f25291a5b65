/** The grammar of cron expressions: text into sets of numbers. What the sets mean on the wall clock is in `cron-wall.ts`. */

export const cronDialects = ["ocps", "vixie"] as const;
/** `ocps`: the Open Cron Pattern Specification 1.4, 5 to 7 fields. `vixie`: five fields, as the cron of Linux systems reads them. */
export type CronDialect = (typeof cronDialects)[number];

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
  /** Five to seven fields; nicknames are replaced by what they stand for. */
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

interface Field {
  name: string;
  /** What has so many of them. */
  within: string;
  low: number;
  high: number;
  names?: string[];
}

const second: Field = { name: "second", within: "minute", low: 0, high: 59 };
const minute: Field = { name: "minute", within: "hour", low: 0, high: 59 };
const hour: Field = { name: "hour", within: "day", low: 0, high: 23 };
const dayOfMonth: Field = { name: "day of month", within: "month", low: 1, high: 31 };
const month: Field = {
  name: "month",
  within: "year",
  low: 1,
  high: 12,
  names: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" "),
};
const dayOfWeek: Field = {
  name: "day of week",
  within: "week",
  low: 0,
  high: 7,
  names: "SUN MON TUE WED THU FRI SAT".split(" "),
};
const year: Field = { name: "year", within: "calendar", low: FIRST_YEAR, high: LAST_YEAR };

const MAX_LENGTH = 256;

class Refusal extends Error {}

export function parseFields(expression: string, dialect: CronDialect): CronFields | CronProblem {
  try {
    return readExpression(expression, dialect);
  } catch (error) {
    if (error instanceof Refusal) return { code: "cron_invalid", message: error.message };
    throw error;
  }
}

function readExpression(expression: string, dialect: CronDialect): CronFields | CronProblem {
  if (expression.length > MAX_LENGTH) throw new Refusal(`A cron expression has at most ${MAX_LENGTH} characters.`);
  let text = expression.replace(/^[ \t]+|[ \t]+$/g, "");
  if (text === "@reboot") {
    return { code: "cron_reboot", message: "@reboot names no time: nothing starts a schedule when a machine boots." };
  }
  if (text.startsWith("@")) {
    const meant = Object.hasOwn(nicknames, text) ? nicknames[text] : undefined;
    if (!meant) throw new Refusal(`Unknown nickname; there are ${Object.keys(nicknames).join(", ")}.`);
    text = meant;
  }
  const parts = text.split(/[ \t]+/);
  const fields = dialect === "vixie" ? [5] : [5, 6, 7];
  if (text === "" || !fields.includes(parts.length)) {
    const wanted =
      dialect === "vixie" ? "five fields" : "five fields, six with seconds, or seven with seconds and years";
    throw new Refusal(`A cron expression has ${wanted}; this one has ${text === "" ? 0 : parts.length}.`);
  }
  const years = parts.length === 7 ? parts.pop()! : "*";
  const seconds = parts.length === 6 ? parts.shift()! : "0";
  const [minutes, hours, domText, months, dowText] = parts as [string, string, string, string, string];
  const dayRule = startsWild(domText) || startsWild(dowText) || dowText.startsWith("+") ? "and" : "or";
  return {
    seconds: readList(seconds, second),
    minutes: readList(minutes, minute),
    hours: readList(hours, hour),
    months: new Set(readList(months, month)),
    years: years === "*" ? null : new Set(readList(years, year)),
    daysOfMonth: readDaysOfMonth(domText, dialect),
    daysOfWeek: readDaysOfWeek(dowText, dialect),
    dayRule,
    rhythm: /[*/]/.test(hours),
    unevenSteps: [
      ...unevenSteps(seconds, second),
      ...unevenSteps(minutes, minute),
      ...unevenSteps(hours, hour),
      ...unevenSteps(domText, dayOfMonth),
      ...unevenSteps(months, month),
      ...unevenSteps(dowText, dayOfWeek),
    ],
    text,
  };
}

function startsWild(text: string): boolean {
  return text.startsWith("*") || text.startsWith("?");
}

/** Wildcards, values, ranges, steps over a wildcard or range, and lists of them. Sorted, each once. */
function readList(text: string, field: Field): number[] {
  const values = new Set<number>();
  for (const element of text.split(",")) for (const value of readElement(element, field)) values.add(value);
  return [...values].sort((a, b) => a - b);
}

function readElement(element: string, field: Field): number[] {
  const [range = "", stepText, ...more] = element.split("/");
  if (more.length > 0) throw new Refusal(`${quoted(element, field)} has more than one step.`);
  const [lowText = "", highText, ...rest] = range.split("-");
  if (rest.length > 0) throw new Refusal(`${quoted(element, field)} is not understood.`);
  let low = field.low;
  let high = field.high === 7 ? 6 : field.high;
  if (range !== "*") {
    low = readValue(lowText, element, field);
    high = highText === undefined ? low : readValue(highText, element, field);
    if (high === 0 && low > 0 && /^sun$/i.test(highText ?? "")) high = 7;
    if (highText === undefined && stepText !== undefined) {
      throw new Refusal(`${quoted(element, field)}: a step needs a range; write ${lowText}-${field.high}/${stepText}.`);
    }
    if (high < low) throw new Refusal(`${quoted(element, field)} runs backwards; write it as two ranges.`);
  }
  const step = stepText === undefined ? 1 : readStep(stepText, element, field);
  const values: number[] = [];
  for (let value = low; value <= high; value += step) values.push(field.high === 7 ? value % 7 : value);
  return values;
}

function readValue(text: string, element: string, field: Field): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + field.low;
  if (!/^\d{1,4}$/.test(text)) throw new Refusal(`${quoted(element, field)} is not understood.`);
  const value = Number(text);
  if (value < field.low || value > field.high) {
    throw new Refusal(`${quoted(element, field)}: ${value} is not between ${field.low} and ${field.high}.`);
  }
  return value;
}

function readStep(text: string, element: string, field: Field): number {
  if (!/^\d{1,4}$/.test(text)) throw new Refusal(`${quoted(element, field)} has no step after the slash.`);
  if (Number(text) === 0) throw new Refusal(`${quoted(element, field)}: a step of 0 stands still.`);
  return Number(text);
}

function quoted(element: string, field: Field): string {
  return `"${element}" in the ${field.name}`;
}

function readDaysOfMonth(text: string, dialect: CronDialect): DaysOfMonth {
  const result: DaysOfMonth = { days: 0, beforeLast: [], lastWorkday: false, nearestWorkday: null };
  const elements = text === "?" && dialect === "ocps" ? ["*"] : text.split(",");
  for (const element of elements) {
    const extension = dialect === "ocps" ? element.toUpperCase() : "";
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
      for (const day of readElement(element, dayOfMonth)) result.days |= 1 << (day - 1);
    }
  }
  return result;
}

function readDaysOfWeek(text: string, dialect: CronDialect): DaysOfWeek {
  const result: DaysOfWeek = { days: 0, nth: [], last: 0 };
  const list = dialect === "ocps" ? text.replace(/^\+/, "").replace(/^\?$/, "*") : text;
  for (const element of list.split(",")) {
    const extension = dialect === "ocps" ? /^([^#]+?)(?:#([1-5L])|(L))$/i.exec(element) : null;
    if (!extension) {
      for (const weekday of readElement(element, dayOfWeek)) result.days |= 1 << weekday;
      continue;
    }
    const weekday = readValue(extension[1]!, element, dayOfWeek) % 7;
    const n = Number(extension[2]);
    if (n >= 1) result.nth.push({ weekday, n });
    else result.last |= 1 << weekday;
  }
  return result;
}

/** Only over a wildcard: whoever writes a range means its borders. Months have no length that a step could divide. */
function unevenSteps(text: string, field: Field): CronFields["unevenSteps"] {
  const length = field === dayOfWeek ? 7 : field.high - field.low + 1;
  return text
    .split(",")
    .filter((element) => {
      const step = Number(/^\+?\*\/(\d+)$/.exec(element)?.[1] ?? 1);
      return step > 1 && (field === dayOfMonth || length % step !== 0);
    })
    .map((element) => ({ within: field.within, text: element }));
}
