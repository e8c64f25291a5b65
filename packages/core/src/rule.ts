/** What is wrong with a schedule's rule, field by field. */
import { cronDialects } from "./cron-fields.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import type { FieldError } from "./errors.ts";
import { mostFiresADay } from "./fires-a-day.ts";
import { parseInstant } from "./instant.ts";
import { limits } from "./limits.ts";
import { parseOneTime } from "./one-time.ts";
import { nextFireAt, parseSource, type RuleSource, type ScheduleRule, sourcesOf } from "./schedule.ts";
import { isTimeZone } from "./zone.ts";

export const dstGaps = ["next", "skip", "shift"] as const;
export const dstOverlaps = ["first", "second", "both"] as const;

/** Empty when the rule can be stored. With `now`, a rule that has no fire after it is refused too. */
export function validateRule(rule: ScheduleRule, now?: number): FieldError[] {
  const errors = [
    ...checkWhen(rule),
    ...checkZone(rule.timeZone),
    ...checkChoice("/dialect", rule.dialect, cronDialects),
    ...checkChoice("/dst/gap", rule.dst.gap, dstGaps),
    ...checkChoice("/dst/overlap", rule.dst.overlap, dstOverlaps),
    ...checkLength("/jitter", rule.jitter, "jitter_out_of_range", limits.jitterMs),
    ...checkRange(rule),
    ...checkMaxFires(rule.maxFires),
  ];
  return errors.length > 0 ? errors : [...checkRoll(rule), ...checkFires(rule, now)];
}

/** What comes next depends on every fire of a month before it, or behind it. */
function checkRoll(rule: ScheduleRule): FieldError[] {
  if (rule.roll === undefined) return [];
  if (rule.delay !== undefined) {
    return [
      { pointer: "/roll", code: "roll_of_delay", message: "A fixed delay has no days that it could be moved to." },
    ];
  }
  if (mostFiresADay(rule) <= limits.rolledFiresADay) return [];
  const message = `Only rules with at most ${limits.rolledFiresADay} fires a day can be moved to another one.`;
  return [{ pointer: "/roll", code: "roll_too_frequent", message }];
}

function checkWhen(rule: ScheduleRule): FieldError[] {
  const { cron, rrule, rules, delay } = rule;
  const all = { cron, every: rule.every ?? delay, rrule, rules };
  const given = Object.entries(all).flatMap(([field, value]) => ((value ?? null) === null ? [] : [field]));
  if (given.length > 1) {
    return [{ pointer: `/${given[1]}`, code: "exclusive", message: "Give only one of cron, every, rrule and rules." }];
  }
  if (given.length === 0) {
    return [{ pointer: "/cron", code: "required", message: "Give one of cron, every, rrule and rules." }];
  }
  if (delay !== undefined) return checkLength("/every/interval", delay, "every_out_of_range", limits.everyMs);
  if (rule.rules && (rule.rules.length < 1 || rule.rules.length > limits.rules)) {
    const code = rule.rules.length < 1 ? "too_few" : "too_many";
    return [{ pointer: "/rules", code, message: `Give 1 to ${limits.rules} rules.` }];
  }
  return sourcesOf(rule).flatMap(({ pointer, source }) => checkSource(pointer, source, rule));
}

function checkSource(pointer: string, source: RuleSource, rule: ScheduleRule): FieldError[] {
  const [field, second] = Object.keys(source) as (keyof RuleSource)[];
  const message = "Give exactly one of cron, every, rrule and at.";
  if (!field) return [{ pointer: `${pointer}/cron`, code: "required", message }];
  if (second) return [{ pointer: `${pointer}/${second}`, code: "exclusive", message }];
  if (field === "every") return checkLength(`${pointer}/every`, source.every!, "every_out_of_range", limits.everyMs);
  if (!(cronDialects as readonly string[]).includes(rule.dialect)) return [];
  // An unknown zone is said of its own field.
  const zoned = isTimeZone(rule.timeZone) ? rule : { ...rule, timeZone: "UTC" };
  if (field === "at") return checkOneTime(`${pointer}/at`, source.at!, zoned);
  const parsed = parseSource(source, zoned);
  return "code" in parsed ? [{ pointer: `${pointer}/${field}`, code: parsed.code, message: parsed.message }] : [];
}

function checkOneTime(pointer: string, text: string, rule: ScheduleRule): FieldError[] {
  const once = parseOneTime(text, rule);
  if (!once) {
    const message = "A time such as 2026-12-24T18:00, or an instant, in the years 1970 to 2199.";
    return [{ pointer, code: "invalid_instant", message }];
  }
  if (once.next(-1) !== null) return [];
  const message = `${rule.timeZone} has no such time: its clock goes forward then, and dst.gap is skip.`;
  return [{ pointer, code: "cron_never_fires", message }];
}

function checkZone(timeZone: string): FieldError[] {
  if (isTimeZone(timeZone)) return [];
  return [
    {
      pointer: "/timeZone",
      code: "unknown_time_zone",
      message: `"${timeZone.slice(0, 64)}" is no IANA time zone such as Europe/Paris or UTC.`,
    },
  ];
}

function checkChoice(pointer: string, value: string, choices: readonly string[]): FieldError[] {
  if (choices.includes(value)) return [];
  return [{ pointer, code: "invalid_choice", message: `One of ${choices.join(", ")}.` }];
}

function checkLength(
  pointer: string,
  text: string | null,
  code: string,
  [least, most]: readonly [number, number],
): FieldError[] {
  if (text === null) return [];
  const ms = parseDuration(text);
  if (ms === null) return [{ pointer, code: "invalid_duration", message: "A duration such as 30s, 5m or 1h30m." }];
  if (ms >= least && ms <= most) return [];
  return [{ pointer, code, message: `Between ${formatDuration(least)} and ${formatDuration(most)}.` }];
}

function checkRange({ startAt, endAt }: ScheduleRule): FieldError[] {
  const errors: FieldError[] = [];
  const start = startAt === null ? null : parseInstant(startAt);
  const end = endAt === null ? null : parseInstant(endAt);
  const message = "An instant such as 2027-01-01T08:00:00Z or 2027-01-01T09:00[Europe/Paris].";
  if (startAt !== null && start === null) errors.push({ pointer: "/startAt", code: "invalid_instant", message });
  if (endAt !== null && end === null) errors.push({ pointer: "/endAt", code: "invalid_instant", message });
  if (start !== null && end !== null && end <= start) {
    errors.push({ pointer: "/endAt", code: "ends_before_start", message: "The end is not after the start." });
  }
  return errors;
}

function checkMaxFires(maxFires: number | null): FieldError[] {
  if (maxFires === null || (Number.isInteger(maxFires) && maxFires >= 1 && maxFires <= 1_000_000_000)) return [];
  return [{ pointer: "/maxFires", code: "out_of_range", message: "A whole number from 1 to 1,000,000,000." }];
}

function checkFires(rule: ScheduleRule, now: number | undefined): FieldError[] {
  if (rule.delay === undefined ? nextFireAt(rule, now ?? -1) !== null : !hasEnded(rule, now)) return [];
  const [first] = sourcesOf(rule);
  const field = rule.rules ? "rules" : Object.keys(first?.source ?? { every: null })[0];
  const pointer = rule.endAt !== null ? "/endAt" : `/${field}`;
  const message = now === undefined ? "There is no fire in this range." : "There is no fire from now on.";
  return [{ pointer, code: "cron_never_fires", message }];
}

function hasEnded({ endAt }: ScheduleRule, now: number | undefined): boolean {
  return now !== undefined && endAt !== null && parseInstant(endAt)! <= now;
}
