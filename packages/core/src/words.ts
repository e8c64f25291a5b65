/** A rule in plain words: "At 12:00, on day 13 of the month or on Friday". */
import cronstrue from "cronstrue";
import { type CronDialect, type CronFields, parseFields } from "./cron-fields.ts";
import { parseDuration } from "./duration.ts";
import { describeRrule } from "./rrule-words.ts";
import { parseSource, type RuleSource, type ScheduleRule, sourcesOf } from "./schedule.ts";
import { isTimeZone } from "./zone.ts";

/** Several rules one after the other: "At 02:00; and at 14:30, on Friday". */
export function describeRule(rule: ScheduleRule): string {
  if (rule.delay !== undefined) {
    const delayMs = parseDuration(rule.delay);
    return `${delayMs ? describeLength(delayMs) : rule.delay} after the task before has ended`;
  }
  const [first = "", ...rest] = sourcesOf(rule).map(({ source }) => describeSource(source, rule));
  return [
    first,
    ...rest.map((words) => `and ${words.charAt(0).toLowerCase()}${words.slice(1)}`),
    ...(rule.roll === undefined ? [] : [`where calendars take it out, on the ${rule.roll} day on which they do not`]),
  ].join("; ");
}

function describeSource(source: RuleSource, rule: ScheduleRule): string {
  if (source.cron !== undefined) return describeCron(source.cron, rule.dialect, rule.hashKey) ?? source.cron;
  if (source.at !== undefined) return describeOneTime(source.at);
  if (source.rrule !== undefined) {
    // Another node may know a zone that this one does not.
    const parsed = parseSource(source, isTimeZone(rule.timeZone) ? rule : { ...rule, timeZone: "UTC" });
    return "parts" in parsed ? describeRrule(parsed) : source.rrule;
  }
  const everyMs = parseDuration(source.every ?? "");
  return everyMs ? describeInterval(everyMs) : (source.every ?? "");
}

/** "Once on 2026-12-24 at 18:00" */
function describeOneTime(text: string): string {
  const [, date, time, rest] = /^([\d-]+)T([\d:.]+)(.*)$/i.exec(text) ?? [];
  return date === undefined ? text : `Once on ${date} at ${time}${rest === "" ? "" : ` (${rest})`}`;
}

/** Null for what is no cron expression. `hashKey`: what `H` is spread by. */
export function describeCron(expression: string, dialect: CronDialect, hashKey = ""): string | null {
  const fields = parseFields(expression, dialect, hashKey);
  if ("code" in fields) return null;
  const words = describeFields(fields);
  return fields.hashed ? `${words} (H: spread by name)` : words;
}

export function describeInterval(everyMs: number): string {
  const text = describeLength(everyMs);
  return `Every ${/^1 \w+$/.test(text) ? text.slice(2) : text}`;
}

/** "2 hours and 5 minutes". */
function describeLength(lengthMs: number): string {
  const units: [string, number][] = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1_000],
    ["millisecond", 1],
  ];
  const parts: string[] = [];
  let rest = lengthMs;
  for (const [unit, size] of units) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(amount === 1 ? `1 ${unit}` : `${amount} ${unit}s`);
  }
  return parts.length > 1 ? `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}` : parts.join("");
}

/**
 * The library words a restricted day of the month and a restricted day of the week as if both had to match; most often either one
 * suffices. So it is asked about each part alone, and the parts are joined here by the rule that holds.
 */
function describeFields(fields: CronFields): string {
  try {
    return joinParts(fields);
  } catch {
    // Some of what the grammar allows, the library does not.
    return fields.text;
  }
}

function joinParts(fields: CronFields): string {
  const parts = fields.text.split(/[ \t]+/);
  const years = parts.length === 7 ? parts.pop()! : null;
  const clock = parts.slice(0, -3).join(" ");
  const [days, months, weekdays] = parts.slice(-3) as [string, string, string];
  const time = read(`${clock} * * *`);
  const part = (expression: string) => read(expression).slice(time.length + 2);
  const day = /^[*?]$/.test(days) ? "" : part(`${clock} ${days} * *`);
  const weekday = /^\+?[*?]$/.test(weekdays) ? "" : part(`${clock} * * ${forLibrary(weekdays)}`).replace(/^only /, "");
  const month = months === "*" ? "" : part(`${clock} * ${months} *`);
  const year =
    years === null || years === "*" ? "" : part(`${clock.split(" ").length === 2 ? "0 " : ""}${clock} * * * ${years}`);
  const date =
    day && weekday ? (fields.dayRule === "or" ? `${day} or ${weekday}` : `${day}, only ${weekday}`) : day || weekday;
  return [time, date, month, year].filter((text) => text !== "").join(", ");
}

function forLibrary(weekdays: string): string {
  return weekdays.replace(/^\+/, "").replace(/#L/gi, "L");
}

function read(expression: string): string {
  return cronstrue.toString(expression, { use24HourTimeFormat: true });
}
