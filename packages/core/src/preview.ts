/** What a rule will do, before it is stored: its words, its next fires and what may surprise. */
import type { NamedCalendar } from "./calendar.ts";
import { parseFields } from "./cron-fields.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatInstant, formatLocal, formatOffset, LAST_INSTANT, parseInstant } from "./instant.ts";
import { firstDelayedFire } from "./plan-delay.ts";
import type { Placement } from "./roll.ts";
import { comingBetween, type ScheduleRule, sourcesOf, wallRulesOf } from "./schedule.ts";
import { describeRule } from "./words.ts";
import { isFixedOffsetZone, offsetAt, type Transition, transitionsBetween } from "./zone.ts";

export interface SchedulePreview {
  words: string;
  /** `rolledFrom`: where the rule has it, when a calendar moved it. */
  fires: { at: string; local: string; offset: string; rolledFrom: string | null }[];
  warnings: PreviewWarning[];
  /** The next two of the zone within two years, whether or not they meet the rule. */
  clockChanges: { at: string; offsetBefore: string; offsetAfter: string }[];
}

export interface PreviewWarning {
  code:
    | "dst_gap"
    | "dst_overlap"
    | "or_rule"
    | "never_fires"
    | "frequent"
    | "herd"
    | "uneven_step"
    | "fixed_offset_zone";
  message: string;
}

/** The first `count` fires at or after `from` that calendars leave, or move there. The rule is valid, but may be one that never fires. */
export function previewSchedule(
  rule: ScheduleRule,
  from: number,
  count: number,
  calendars: readonly NamedCalendar[] = [],
): SchedulePreview {
  if (rule.delay !== undefined) return previewDelayed(rule, from);
  const most = Math.min(count, rule.maxFires ?? count);
  const coming = comingBetween(rule, from - 1, Number.POSITIVE_INFINITY, Math.max(most, SAMPLE), calendars);
  const sample = coming.slice(0, SAMPLE).map(({ fireAt }) => fireAt);
  return {
    words: describeRule(rule),
    fires: coming.slice(0, most).map((fire) => shown(rule, fire)),
    warnings: [
      ...warnAboutCron(rule),
      ...warnAboutChanges(rule, from),
      ...warnAboutFires(rule, sample),
      ...warnAboutZone(rule),
    ],
    clockChanges: nextChanges(rule.timeZone, from),
  };
}

/** Of a schedule that is created at `from`; what follows the first fire depends on when its task ends. */
function previewDelayed(rule: ScheduleRule, from: number): SchedulePreview {
  const first = firstDelayedFire(rule, from);
  const ends = rule.endAt !== null && first >= parseInstant(rule.endAt)!;
  return {
    words: describeRule(rule),
    fires: ends ? [] : [shown(rule, { fireAt: first, rolledFrom: null })],
    warnings: [...(ends ? warnAboutFires(rule, []) : []), ...warnAboutZone(rule)],
    clockChanges: nextChanges(rule.timeZone, from),
  };
}

function shown(
  { timeZone }: ScheduleRule,
  { fireAt, rolledFrom }: Pick<Placement, "fireAt" | "rolledFrom">,
): SchedulePreview["fires"][number] {
  return {
    at: formatInstant(fireAt),
    local: formatLocal(fireAt, timeZone),
    offset: formatOffset(offsetAt(timeZone, fireAt)),
    rolledFrom: rolledFrom === null ? null : formatInstant(rolledFrom),
  };
}

/** So many fires show how close together they are, also where a rule among several has few. */
const SAMPLE = 50;

function nextChanges(timeZone: string, from: number): SchedulePreview["clockChanges"] {
  return transitionsBetween(timeZone, from - 1, Math.min(from + 2 * YEAR_MS, LAST_INSTANT))
    .slice(0, 2)
    .map(({ at, offsetBefore, offsetAfter }) => ({
      at: formatInstant(at),
      offsetBefore: formatOffset(offsetBefore),
      offsetAfter: formatOffset(offsetAfter),
    }));
}

/** Of several rules, what is the same for two is said once. */
function warnAboutCron(rule: ScheduleRule): PreviewWarning[] {
  const warnings = sourcesOf(rule).flatMap(({ source: { cron } }) =>
    cron === undefined ? [] : warnAboutExpression(cron, rule),
  );
  return warnings.filter(({ message }, index) => warnings.findIndex((other) => other.message === message) === index);
}

function warnAboutExpression(expression: string, { dialect, hashKey }: ScheduleRule): PreviewWarning[] {
  const fields = parseFields(expression, dialect, hashKey);
  if ("code" in fields) return [];
  const warnings: PreviewWarning[] = [];
  if (fields.dayRule === "or") {
    const and = dialect === "ocps" ? " A + before the day of the week asks for both." : "";
    const message = `Both days are restricted: it fires when the day of the month or the day of the week matches.${and}`;
    warnings.push({ code: "or_rule", message });
  }
  for (const { within, text } of fields.unevenSteps) {
    const message = `"${text}" does not divide the ${within} evenly: the last step before it starts again is shorter.`;
    warnings.push({ code: "uneven_step", message });
  }
  return warnings;
}

const YEAR_MS = 366 * 86_400_000;

/** Of the coming year, the first change of each kind that meets the rule. */
function warnAboutChanges(rule: ScheduleRule, from: number): PreviewWarning[] {
  const wallRules = wallRulesOf(rule).filter(({ rhythm }) => !rhythm);
  if (wallRules.length === 0) return [];
  const start = Math.max(from - 1, rule.startAt === null ? from - 1 : parseInstant(rule.startAt)! - 1);
  const end = Math.min(start + YEAR_MS, rule.endAt === null ? start + YEAR_MS : parseInstant(rule.endAt)!);
  const changes = transitionsBetween(rule.timeZone, start, end).flatMap((change) => {
    const first = change.at + Math.min(change.offsetBefore, change.offsetAfter);
    const walls = wallRules.flatMap((wallRule) => wallRule.nextWall(first) ?? []);
    const wall = Math.min(...walls);
    return wall < change.at + Math.max(change.offsetBefore, change.offsetAfter) ? [{ change, wall }] : [];
  });
  const gap = changes.find(({ change }) => change.offsetAfter > change.offsetBefore);
  const overlap = changes.find(({ change }) => change.offsetAfter < change.offsetBefore);
  const warnings: PreviewWarning[] = [];
  if (gap) warnings.push({ code: "dst_gap", message: gapMessage(rule, gap.wall, gap.change) });
  if (overlap) warnings.push({ code: "dst_overlap", message: overlapMessage(rule, overlap.wall) });
  return warnings;
}

function gapMessage(
  { timeZone, dst }: ScheduleRule,
  wall: number,
  { at, offsetBefore, offsetAfter }: Transition,
): string {
  const [date, time] = dateAndTime(wall);
  const next = dateAndTime(at + offsetAfter)[1];
  const shifted = dateAndTime(wall - offsetBefore + offsetAfter)[1];
  const does = { next: `fires at ${next} instead`, skip: "does not fire then", shift: `fires at ${shifted} instead` };
  return `On ${date} there is no ${time} in ${timeZone}: the clock goes forward. It ${does[dst.gap]}.`;
}

function overlapMessage({ timeZone, dst }: ScheduleRule, wall: number): string {
  const [date, time] = dateAndTime(wall);
  const does = { first: "once, the first time", second: "once, the second time", both: "both times" };
  return `On ${date} the clock in ${timeZone} shows ${time} twice: it goes back. It fires ${does[dst.overlap]}.`;
}

function dateAndTime(wall: number): [string, string] {
  const text = new Date(wall).toISOString();
  return [text.slice(0, 10), text.slice(11, text.endsWith(":00.000Z") ? 16 : 19)];
}

function warnAboutFires(rule: ScheduleRule, fires: number[]): PreviewWarning[] {
  if (fires.length === 0) return [{ code: "never_fires", message: "It does not fire from then on." }];
  const gaps = fires.slice(1).map((fire, index) => fire - fires[index]!);
  const shortest = Math.min(...gaps);
  if (shortest < 60_000) {
    return [{ code: "frequent", message: `It fires as little as ${formatDuration(shortest)} apart.` }];
  }
  const jitterMs = rule.jitter === null ? 0 : parseDuration(rule.jitter)!;
  const onTheHour = fires.every((fire) => (fire + offsetAt(rule.timeZone, fire)) % 3_600_000 === 0);
  if (jitterMs > 0 || !onTheHour) return [];
  const message = "It fires on the full hour, as many schedules do. A jitter or another minute spreads the load.";
  return [{ code: "herd", message }];
}

/** Intervals do not look at the clock of any zone. */
function warnAboutZone(rule: ScheduleRule): PreviewWarning[] {
  const { timeZone } = rule;
  if (!isFixedOffsetZone(timeZone) || sourcesOf(rule).every(({ source }) => source.every !== undefined)) return [];
  const offset = formatOffset(offsetAt(timeZone, 0));
  const message = `${timeZone} is always UTC${offset} and knows no daylight saving time. A place such as Europe/Paris follows the clock there.`;
  return [{ code: "fixed_offset_zone", message }];
}
