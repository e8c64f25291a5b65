/**
 * The grammar of recurrence rules, RFC 5545 §3.3.10 and §3.8.5: a line `RRULE:FREQ=…`, of which the name may be left out, and lines
 * `DTSTART`, `EXDATE` and `RDATE`. What it means on the wall clock is in `rrule-wall.ts`.
 */
import { FIRST_YEAR, LAST_YEAR } from "./cron-fields.ts";
import { limits } from "./limits.ts";
import { Refusal } from "./refusal.ts";

export const frequencies = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"] as const;
export type Frequency = (typeof frequencies)[number];

/** Lists are sorted and hold each value once; null: the part is not there. Negative values count from the end. */
export interface RruleParts {
  frequency: Frequency;
  interval: number;
  count: number | null;
  until: Moment | null;
  seconds: number[] | null;
  minutes: number[] | null;
  hours: number[] | null;
  /** `n` 0: every one of these days. Sunday is 0. */
  weekdays: { weekday: number; n: number }[] | null;
  monthDays: number[] | null;
  yearDays: number[] | null;
  weeks: number[] | null;
  months: number[] | null;
  positions: number[] | null;
  weekStart: number;
}

/** A date, or a date with a time. */
export interface Moment {
  /** As epoch milliseconds as if the clock showed UTC; for a date its midnight. */
  wall: number;
  kind: "local" | "utc" | "date";
}

export interface RruleText {
  rule: RruleParts;
  /** DTSTART */
  start: Moment | null;
  /** RDATE */
  added: Moment[];
  /** EXDATE */
  removed: Moment[];
  /** Each TZID of a line. */
  zones: string[];
}

export interface RruleProblem {
  code: "rrule_invalid" | "cron_never_fires";
  message: string;
}

const weekdayNames = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

export function parseRruleText(text: string): RruleText | RruleProblem {
  try {
    return readText(text);
  } catch (error) {
    if (error instanceof Refusal) return { code: "rrule_invalid", message: error.message };
    throw error;
  }
}

function readText(text: string): RruleText {
  if (text.length > limits.rruleLength) throw new Refusal(`An RRULE has at most ${limits.rruleLength} characters.`);
  const result: Omit<RruleText, "rule"> = { start: null, added: [], removed: [], zones: [] };
  let rule: RruleParts | null = null;
  const lines = text.replace(/\r?\n[ \t]/g, "").split(/\r?\n/);
  for (const line of lines.map((line) => line.trim()).filter((line) => line !== "")) {
    const { name, parameters, value } = readLine(line);
    if (parameters.zone !== null) result.zones.push(parameters.zone);
    if (name === "RRULE") {
      if (rule) throw new Refusal("There is more than one RRULE line; several rules go into rules.");
      rule = readRule(value);
    } else if (name === "DTSTART") {
      if (result.start) throw new Refusal("There is more than one DTSTART line.");
      result.start = readMoment(value, "DTSTART", LAST_YEAR);
    } else if (name === "EXDATE" || name === "RDATE") {
      const moments = value.split(",").map((part) => readMoment(part, name, LAST_YEAR));
      (name === "RDATE" ? result.added : result.removed).push(...moments);
    } else throw new Refusal(`A line ${quote(name)} is not known; there are RRULE, DTSTART, EXDATE and RDATE.`);
  }
  if (!rule) throw new Refusal("There is no rule, such as FREQ=WEEKLY;BYDAY=MO.");
  return { ...result, rule };
}

function readLine(line: string): { name: string; parameters: { zone: string | null }; value: string } {
  if (/^[A-Za-z]+=/.test(line)) return { name: "RRULE", parameters: { zone: null }, value: line };
  const colon = line.indexOf(":");
  if (colon < 0) throw new Refusal(`The line ${quote(line)} is not understood.`);
  const [name = "", ...parameters] = line.slice(0, colon).split(";");
  let zone: string | null = null;
  for (const parameter of parameters) {
    const [key, value = ""] = parameter.split("=", 2);
    if (/^TZID$/i.test(key!)) zone = value.replace(/^"(.*)"$/, "$1");
    else if (!/^VALUE=DATE(-TIME)?$/i.test(parameter)) throw new Refusal(`${quote(parameter)} is not understood.`);
  }
  return { name: name.toUpperCase(), parameters: { zone }, value: line.slice(colon + 1) };
}

/** `19970902`, `19970902T090000` or `19970902T090000Z`. */
function readMoment(text: string, where: string, lastYear: number): Moment {
  const match = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?$/i.exec(text);
  if (!match) throw new Refusal(`${quote(text)} in ${where} is no date such as 20270131 or 20270131T090000.`);
  const [, year, month, day, hour = "00", minute = "00", second = "00", utc] = match;
  const wall = Date.UTC(+year!, +month! - 1, +day!, +hour, +minute, +second);
  const shown = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  if (+year! < FIRST_YEAR || +year! > lastYear) {
    throw new Refusal(`${quote(text)} in ${where} is not in the years ${FIRST_YEAR} to ${lastYear}.`);
  }
  // Date.UTC carries 30 February over into March; a carried field reads differently.
  if (new Date(wall).toISOString().slice(0, 19) !== shown) {
    throw new Refusal(`${quote(text)} in ${where}: there is no such day or time.`);
  }
  return { wall, kind: match[4] === undefined ? "date" : utc ? "utc" : "local" };
}

function readRule(text: string): RruleParts {
  const given = new Map<string, string>();
  for (const part of text.split(";")) {
    const [, name, value] = /^([A-Za-z]+)=([^=]+)$/.exec(part) ?? [];
    if (!name) throw new Refusal(`${quote(part)} is no part such as FREQ=DAILY.`);
    const key = name.toUpperCase();
    if (given.has(key)) throw new Refusal(`${key} is given twice.`);
    if (!known.includes(key)) throw new Refusal(`${quote(key)} is no part of an RRULE.`);
    given.set(key, value!.toUpperCase());
  }
  const numbers = (key: string, low: number, high: number, signed = false) => {
    const value = given.get(key);
    return value === undefined ? null : readNumbers(value, key, low, high, signed);
  };
  const frequency = frequencies.find((name) => name === given.get("FREQ"));
  if (!frequency) throw new Refusal(`FREQ is one of ${frequencies.join(", ")}.`);
  const until = given.get("UNTIL");
  const rule: RruleParts = {
    frequency,
    interval: readNumber(given.get("INTERVAL") ?? "1", "INTERVAL", 1, MOST_INTERVAL),
    count: given.has("COUNT") ? readNumber(given.get("COUNT")!, "COUNT", 1, MOST_COUNT) : null,
    until: until === undefined ? null : readMoment(until, "UNTIL", 9999),
    seconds: numbers("BYSECOND", 0, 59),
    minutes: numbers("BYMINUTE", 0, 59),
    hours: numbers("BYHOUR", 0, 23),
    weekdays: given.has("BYDAY") ? given.get("BYDAY")!.split(",").map(readWeekday) : null,
    monthDays: numbers("BYMONTHDAY", 1, 31, true),
    yearDays: numbers("BYYEARDAY", 1, 366, true),
    weeks: numbers("BYWEEKNO", 1, 53, true),
    months: numbers("BYMONTH", 1, 12),
    positions: numbers("BYSETPOS", 1, 366, true),
    weekStart: readWeekStart(given.get("WKST") ?? "MO"),
  };
  checkParts(rule);
  return rule;
}

const known =
  "FREQ INTERVAL COUNT UNTIL BYSECOND BYMINUTE BYHOUR BYDAY BYMONTHDAY BYYEARDAY BYWEEKNO BYMONTH BYSETPOS WKST".split(
    " ",
  );

/** They bound the work: of the search for the next fire, and of finding the last one. */
const MOST_INTERVAL = 10_000;
/** Such a rhythm may meet a certain second of the day only once in as many days. */
const MOST_SECONDS = 1_000;
const MOST_COUNT = 1_000;

function readNumber(text: string, key: string, low: number, high: number, signed = false): number {
  const match = (signed ? /^([+-]?)(\d{1,9})$/ : /^()(\d{1,9})$/).exec(text);
  const size = Number(match?.[2]);
  if (!match || size < low || size > high) {
    throw new Refusal(`${quote(text)} in ${key} is no number from ${low} to ${high}${signed ? ", or minus one" : ""}.`);
  }
  return match[1] === "-" ? -size : size;
}

function readNumbers(text: string, key: string, low: number, high: number, signed: boolean): number[] {
  const values = text.split(",").map((part) => readNumber(part, key, low, high, signed));
  return [...new Set(values)].sort((a, b) => a - b);
}

function readWeekday(text: string): { weekday: number; n: number } {
  const match = /^(?:([+-]?\d{1,2}))?([A-Z]{2})$/.exec(text);
  const weekday = weekdayNames.indexOf(match?.[2] ?? "");
  if (!match || weekday < 0) throw new Refusal(`${quote(text)} in BYDAY is no day such as MO, 2TU or -1FR.`);
  return { weekday, n: match[1] === undefined ? 0 : readNumber(match[1], "BYDAY", 1, 53, true) };
}

function readWeekStart(text: string): number {
  const weekday = weekdayNames.indexOf(text);
  if (weekday < 0) throw new Refusal(`${quote(text)} in WKST is no day such as MO.`);
  return weekday;
}

/** What the RFC says MUST NOT stand together. */
function checkParts({ frequency, ...rule }: RruleParts): void {
  const refuse = (message: string) => {
    throw new Refusal(message);
  };
  const isDayOfPeriod = frequency === "YEARLY" || frequency === "MONTHLY";
  if (rule.count !== null && rule.until) refuse("An RRULE ends by COUNT or by UNTIL, not by both.");
  if (rule.weekdays?.some(({ n }) => n !== 0)) {
    if (!isDayOfPeriod) refuse("A number before a day in BYDAY needs FREQ=MONTHLY or FREQ=YEARLY.");
    if (rule.weeks) refuse("A number before a day in BYDAY does not go with BYWEEKNO.");
  }
  if (rule.weeks && frequency !== "YEARLY") refuse("BYWEEKNO needs FREQ=YEARLY.");
  if (rule.monthDays && frequency === "WEEKLY") refuse("BYMONTHDAY does not go with FREQ=WEEKLY.");
  if (rule.yearDays && ["MONTHLY", "WEEKLY", "DAILY"].includes(frequency)) {
    refuse(`BYYEARDAY does not go with FREQ=${frequency}.`);
  }
  const { seconds, minutes, hours, weekdays, monthDays, yearDays, weeks, months } = rule;
  if (frequency === "SECONDLY" && (seconds ?? minutes ?? hours) && rule.interval > MOST_SECONDS) {
    refuse(`FREQ=SECONDLY with BYHOUR, BYMINUTE or BYSECOND takes an INTERVAL of at most ${MOST_SECONDS}.`);
  }
  if (rule.positions && !(seconds ?? minutes ?? hours ?? weekdays ?? monthDays ?? yearDays ?? weeks ?? months)) {
    refuse("BYSETPOS chooses from what another BY… part lists; there is none.");
  }
}

function quote(text: string): string {
  return `"${text.length > 40 ? `${text.slice(0, 40)}…` : text}"`;
}
