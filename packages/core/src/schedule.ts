/** Recurring rules: when they fire. A rule is data as the API names it, checked by `validateRule` before it is stored. */
import type { NamedCalendar } from "./calendar.ts";
import { type Cron, type DstPolicy, nextFire, parseCron } from "./cron.ts";
import type { CronDialect } from "./cron-fields.ts";
import { parseDuration } from "./duration.ts";
import { withoutExcluded } from "./exclusion.ts";
import { parseInstant } from "./instant.ts";
import { nextTick } from "./interval.ts";

export interface ScheduleRule {
  /** Exactly one of `cron` and `every` is given. */
  cron: string | null;
  /** A duration: fires at `startAt` (else the Unix epoch) + n × `every` of elapsed time. */
  every: string | null;
  timeZone: string;
  dialect: CronDialect;
  dst: DstPolicy;
  /** A duration: each fire's task is due up to this much later, never past the next fire. */
  jitter: string | null;
  /** Instants as text; fires lie in `startAt <= t < endAt`. */
  startAt: string | null;
  endAt: string | null;
  /** The rule ends after so many fires that became tasks; counted where fires are recorded, not here. */
  maxFires: number | null;
}

export const defaultDst: DstPolicy = { gap: "next", overlap: "first" };

/** Fires with `after < t <= until`, in order, at most `limit`; those that `excludes` cover are left out. */
export function firesBetween(
  rule: ScheduleRule,
  after: number,
  until: number,
  limit: number,
  excludes: readonly NamedCalendar[] = [],
): number[] {
  const next = withoutExcluded(compileRule(rule), excludes);
  const fires: number[] = [];
  for (let fire = next(after); fire !== null && fire <= until && fires.length < limit; fire = next(fire))
    fires.push(fire);
  return fires;
}

/**
 * The first fire strictly after `after` that `excludes` do not cover; null: the rule never fires again. `maxFires` is not counted here.
 */
export function nextFireAt(rule: ScheduleRule, after: number, excludes: readonly NamedCalendar[] = []): number | null {
  return withoutExcluded(compileRule(rule), excludes)(after);
}

/**
 * When the task of this fire is due: a pseudo-random part of `jitter` later, the same for the same schedule and fire on every node, and
 * always before the next fire.
 */
export function jitteredDueAt(rule: ScheduleRule, scheduleId: bigint, fireAt: number): number {
  const jitterMs = rule.jitter === null ? 0 : parseDuration(rule.jitter)!;
  if (jitterMs === 0) return fireAt;
  const next = nextFireAt(rule, fireAt);
  const room = next === null ? jitterMs : Math.min(jitterMs, next - fireAt - 1);
  return fireAt + Math.floor(hashToUnit(scheduleId, fireAt) * (room + 1));
}

/** In [0, 1). */
function hashToUnit(scheduleId: bigint, fireAt: number): number {
  const words = [
    Number(scheduleId & 0xffffffffn),
    Number((scheduleId >> 32n) & 0xffffffffn),
    fireAt >>> 0,
    Math.floor(fireAt / 2 ** 32),
  ];
  let hash = 0x9e3779b9;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 2 ** 32;
}

/** The rule as a function from an instant to the next fire. Asserts what `validateRule` has checked. */
function compileRule(rule: ScheduleRule): (after: number) => number | null {
  const startAt = rule.startAt === null ? null : parseInstant(rule.startAt)!;
  const endAt = rule.endAt === null ? Number.POSITIVE_INFINITY : parseInstant(rule.endAt)!;
  const next = rule.cron === null ? intervalFires(rule, startAt) : cronFires(rule);
  return (after) => {
    const fire = next(startAt === null ? after : Math.max(after, startAt - 1));
    return fire !== null && fire < endAt ? fire : null;
  };
}

function intervalFires(rule: ScheduleRule, startAt: number | null): (after: number) => number | null {
  const everyMs = rule.every === null ? null : parseDuration(rule.every);
  if (!everyMs) throw new Error(`A rule without a valid interval: ${rule.every}`);
  return (after) => nextTick(everyMs, startAt ?? 0, after);
}

function cronFires(rule: ScheduleRule): (after: number) => number | null {
  const cron: Cron | { code: string } = parseCron(rule.cron!, { dialect: rule.dialect });
  // What never fires is no valid rule, but a preview may ask.
  if ("code" in cron && cron.code === "cron_never_fires") return () => null;
  if ("code" in cron) throw new Error(`A rule without a valid cron expression: ${rule.cron}`);
  return (after) => nextFire(cron, rule.timeZone, rule.dst, after);
}
