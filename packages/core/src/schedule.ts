/** Recurring rules: when they fire. A rule is data as the API names it, checked by `validateRule` before it is stored. */
import type { NamedCalendar } from "./calendar.ts";
import { parseCron } from "./cron.ts";
import type { CronDialect } from "./cron-fields.ts";
import { parseDuration } from "./duration.ts";
import { reasonOf, takenOutAt, withoutTakenOut } from "./exclusion.ts";
import { parseInstant } from "./instant.ts";
import { nextTick } from "./interval.ts";
import { parseOneTime } from "./one-time.ts";
import { type Placement, placements, placer, type Roll, type RollingRule } from "./roll.ts";
import { parseRrule } from "./rrule.ts";
import { type DstPolicy, nextFire, type WallRule } from "./wall-rule.ts";

/** What says when: exactly one of these. */
export interface RuleSource {
  cron?: string;
  /** A duration: fires at `startAt` (else the Unix epoch) + n × `every` of elapsed time. */
  every?: string;
  /** RFC 5545: a rule, also with lines DTSTART, EXDATE and RDATE. */
  rrule?: string;
  /** Once: a wall time of the schedule's zone, or an instant. Among `rules` only. */
  at?: string;
}

/**
 * Exactly one of `cron`, `every`, `delay`, `rrule` and `rules` is given. The last three, `hashKey` and `roll` are left out where they are
 * not needed, as in definitions that were stored before there were any.
 */
export interface ScheduleRule {
  cron: string | null;
  every: string | null;
  /** A duration: each fire comes so long after the task of the one before became final. It stands alone. */
  delay?: string;
  rrule?: string;
  /** It fires whenever one of these does; several at one instant are one fire. */
  rules?: RuleSource[];
  /** What `H` in cron expressions is spread by: the schedule's name. */
  hashKey?: string;
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
  /** To which day a fire goes that calendars take out; left out: to none, it is skipped. */
  roll?: Roll;
}

export const defaultDst: DstPolicy = { gap: "next", overlap: "first" };

/** Where nothing is said: RFC 5545 leaves out what falls into a gap, so rules that are nothing but RRULEs do. */
export function defaultDstOf(rule: Pick<ScheduleRule, "rrule" | "rules">): DstPolicy {
  const sources: RuleSource[] = rule.rules ?? [rule];
  const rfc = sources.length > 0 && sources.every(({ rrule }) => rrule !== undefined);
  return rfc ? { ...defaultDst, gap: "skip" } : defaultDst;
}

/**
 * Fires with `after < t <= until`, in order, at most `limit`; those that calendars take out are left out, or where they are moved to. Of a
 * fixed delay only the one at `startAt` is known: the others depend on when tasks end.
 */
export function firesBetween(
  rule: ScheduleRule,
  after: number,
  until: number,
  limit: number,
  calendars: readonly NamedCalendar[] = [],
): number[] {
  if (isRolling(rule, calendars)) {
    return comingBetween(rule, after, until, limit, calendars).map(({ fireAt }) => fireAt);
  }
  const next = withoutTakenOut(compileRule(rule), calendars);
  const fires: number[] = [];
  for (let fire = next(after); fire !== null && fire <= until && fires.length < limit; fire = next(fire))
    fires.push(fire);
  return fires;
}

/** The same, with where they were moved from. */
export function comingBetween(
  rule: ScheduleRule,
  after: number,
  until: number,
  limit: number,
  calendars: readonly NamedCalendar[] = [],
): Placement[] {
  if (!isRolling(rule, calendars)) return firesBetween(rule, after, until, limit, calendars).map(unmoved);
  return take(placements(rollingRule(rule), calendars, after, { searching: true }), until, limit);
}

/** Every fire of the ledger with `after < t <= until`, in order, at most `limit`: also those that calendars take out. */
export function placedBetween(
  rule: ScheduleRule,
  after: number,
  until: number,
  limit: number,
  calendars: readonly NamedCalendar[] = [],
): Placement[] {
  if (isRolling(rule, calendars)) {
    return take(placements(rollingRule(rule), calendars, after, { searching: false }), until, limit);
  }
  return firesBetween(rule, after, until, limit).map((fireAt) => {
    const taken = calendars.length === 0 ? null : takenOutAt(calendars, fireAt);
    return taken ? { fireAt, rolledFrom: null, takenOut: reasonOf(taken) } : unmoved(fireAt);
  });
}

/** Where this instant's fire goes; null: the rule has none then. */
export function placementOf(rule: ScheduleRule, at: number, calendars: readonly NamedCalendar[]): Placement | null {
  if (compileRule(rule)(at - 1) !== at) return null;
  return isRolling(rule, calendars) ? placer(rollingRule(rule), calendars)(at) : unmoved(at);
}

const unmoved = (fireAt: number): Placement => ({ fireAt, rolledFrom: null, takenOut: null });

function take(coming: Iterable<Placement>, until: number, limit: number): Placement[] {
  const taken: Placement[] = [];
  if (limit <= 0) return taken;
  for (const placement of coming) {
    if (placement.fireAt > until) break;
    if (taken.push(placement) >= limit) break;
  }
  return taken;
}

/** The first fire strictly after `after` that calendars leave; null: the rule never fires again. `maxFires` is not counted here. */
export function nextFireAt(rule: ScheduleRule, after: number, calendars: readonly NamedCalendar[] = []): number | null {
  if (isRolling(rule, calendars)) return firesBetween(rule, after, Number.POSITIVE_INFINITY, 1, calendars)[0] ?? null;
  return withoutTakenOut(compileRule(rule), calendars)(after);
}

/** The first of the ledger, whether or not calendars take it out. */
export function nextPlacedAt(
  rule: ScheduleRule,
  after: number,
  calendars: readonly NamedCalendar[] = [],
): number | null {
  if (!isRolling(rule, calendars)) return nextFireAt(rule, after);
  return placedBetween(rule, after, Number.POSITIVE_INFINITY, 1, calendars)[0]?.fireAt ?? null;
}

/**
 * When the task of this fire is due: a pseudo-random part of `jitter` later, the same for the same schedule and fire on every node, and
 * always before the next fire.
 */
export function jitteredDueAt(
  rule: ScheduleRule,
  scheduleId: bigint,
  fireAt: number,
  calendars: readonly NamedCalendar[] = [],
): number {
  const jitterMs = rule.jitter === null ? 0 : parseDuration(rule.jitter)!;
  if (jitterMs === 0) return fireAt;
  const next = nextPlacedAt(rule, fireAt, calendars);
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

const isRolling = ({ roll }: ScheduleRule, { length }: readonly NamedCalendar[]): boolean =>
  roll !== undefined && length > 0;

function rollingRule(rule: ScheduleRule): RollingRule {
  const { startAt, endAt } = rangeOf(rule);
  const { roll, timeZone, dst } = rule;
  return { next: compileRule(rule), roll: roll!, timeZone, dst, startAt: startAt ?? Number.NEGATIVE_INFINITY, endAt };
}

function rangeOf({ startAt, endAt }: ScheduleRule): { startAt: number | null; endAt: number } {
  return {
    startAt: startAt === null ? null : parseInstant(startAt)!,
    endAt: endAt === null ? Number.POSITIVE_INFINITY : parseInstant(endAt)!,
  };
}

/** The rule as a function from an instant to the next fire. Asserts what `validateRule` has checked. */
function compileRule(rule: ScheduleRule): (after: number) => number | null {
  const { startAt, endAt } = rangeOf(rule);
  const next =
    rule.delay === undefined
      ? union(sourcesOf(rule).map(({ source }) => firesOf(source, rule)))
      : (after: number) => (startAt !== null && after < startAt ? startAt : null);
  return (after) => {
    const fire = next(startAt === null ? after : Math.max(after, startAt - 1));
    return fire !== null && fire < endAt ? fire : null;
  };
}

function union(all: ((after: number) => number | null)[]): (after: number) => number | null {
  if (all.length === 0) throw new Error("A rule without cron, every, rrule and rules.");
  if (all.length === 1) return all[0]!;
  // Who walks on asks each rule again only once its fire has passed.
  const known = all.map((next) => ({ next, from: Number.POSITIVE_INFINITY, fire: null as number | null }));
  return (after) => {
    let first: number | null = null;
    for (const source of known) {
      if (after < source.from || (source.fire !== null && after >= source.fire)) {
        source.from = after;
        source.fire = source.next(after);
      }
      if (source.fire !== null && (first === null || source.fire < first)) first = source.fire;
    }
    return first;
  };
}

/** What the rule unites, each with the JSON pointer to it. */
export function sourcesOf({ cron, every, rrule, rules }: ScheduleRule): { pointer: string; source: RuleSource }[] {
  const source: RuleSource = {
    ...(cron === null ? {} : { cron }),
    ...(every === null ? {} : { every }),
    ...(rrule === undefined ? {} : { rrule }),
  };
  const own = Object.keys(source).length === 0 ? [] : [{ pointer: "", source }];
  return [...own, ...(rules ?? []).map((source, index) => ({ pointer: `/rules/${index}`, source }))];
}

function firesOf(source: RuleSource, rule: ScheduleRule): (after: number) => number | null {
  const startAt = rule.startAt === null ? null : parseInstant(rule.startAt)!;
  if (source.every !== undefined) {
    const everyMs = parseDuration(source.every);
    if (!everyMs) throw new Error(`A rule without a valid interval: ${source.every}`);
    return (after) => nextTick(everyMs, startAt ?? 0, after);
  }
  if (source.at !== undefined) {
    const once = parseOneTime(source.at, rule);
    if (!once) throw new Error(`A rule without a valid time: ${source.at}`);
    return once.next;
  }
  const parsed = parseSource(source, rule);
  // What never fires is no valid rule, but a preview may ask.
  if ("code" in parsed && parsed.code === "cron_never_fires") return () => null;
  if ("code" in parsed)
    throw new Error(`A rule that cannot be read: ${source.cron ?? source.rrule}: ${parsed.message}`);
  return "next" in parsed ? parsed.next : (after) => nextFire(parsed, rule.timeZone, rule.dst, after);
}

/** A cron expression or an RRULE, read as this schedule means it. */
export function parseSource({ cron, rrule }: RuleSource, { dialect, hashKey, timeZone, dst, startAt }: ScheduleRule) {
  if (cron !== undefined) return parseCron(cron, { dialect, ...(hashKey === undefined ? {} : { hashKey }) });
  return parseRrule(rrule ?? "", { timeZone, dst, startAt: startAt === null ? null : parseInstant(startAt) });
}

/** Those of its parts that are about the wall clock. */
export function wallRulesOf(rule: ScheduleRule): WallRule[] {
  return sourcesOf(rule).flatMap(({ source }) => {
    if (source.every !== undefined) return [];
    if (source.at !== undefined) return parseOneTime(source.at, rule)?.wallRule ?? [];
    const parsed = parseSource(source, rule);
    return "code" in parsed ? [] : ["wallRule" in parsed ? parsed.wallRule : parsed];
  });
}
