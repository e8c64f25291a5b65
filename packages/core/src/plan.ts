/**
 * What a planner does for one schedule. It runs ahead: every fire up to `now + horizon` gets its row and, mostly, its task. Fires in a
 * past in which no node was alive are missed, and the catch-up policy decides which of them run after all.
 */
import type { NamedCalendar } from "./calendar.ts";
import { CATCH_UP_PACE_MS, type CatchUp, decideCatchUp, mostCaughtUp } from "./catch-up.ts";
import { formatInstant } from "./instant.ts";
import { firesBetween, jitteredDueAt, nextFireAt, nextPlacedAt, placedBetween, type ScheduleRule } from "./schedule.ts";

/** A fire is missed when no node was alive at its instant nor so long after it. */
export const MISSED_AFTER_MS = 10_000;

/** The mark of a schedule that will never fire again. */
export const NEVER_AGAIN = Date.UTC(2200, 0, 1);

export interface PlanningSchedule {
  id: bigint;
  rule: ScheduleRule;
  catchUp: CatchUp;
  /** Fires that these take out are skipped, and never caught up, unless the rule moves them. Left out: none. */
  calendars?: readonly NamedCalendar[];
  /** All fires up to here have been decided. */
  plannedUntil: number;
  /** Fires that became tasks. */
  firesSoFar: number;
  /** Of these, the ones after the mark, which went back over them. Needed for rules with `maxFires` only. */
  tasksAhead: readonly number[];
  paused: boolean;
  /** The pause ends by itself then: fires from there on are as without it. Left out or null: it goes on. */
  pausedUntil?: number | null;
  /** Rule and pause were in force until then, and are planned no further; null: they still are. */
  until: number | null;
}

export interface PlanningTime {
  now: number;
  horizonMs: number;
  /** Some node has been alive since then without a break; left out: nobody was before now. */
  aliveSince?: number;
  /** Nobody was alive from then on, before `aliveSince`; left out: from the mark on. The first of several such times counts. */
  deadSince?: number;
  /** At most so many fires in one answer. */
  limit: number;
}

export interface PlannedFireDecision {
  fireAt: number;
  dueAt: number;
  outcome: "task" | "missed" | "skipped";
  /**
   * `paused` for what a pause skipped, `excluded:NAME` or `not_included` for what calendars did, `no_node` for what was missed; of a task
   * `rolled:INSTANT`, from where a calendar moved the fire.
   */
  reason: string | null;
  caughtUp: boolean;
}

export interface FirePlan {
  fires: PlannedFireDecision[];
  /**
   * The new mark. At least `now + horizon` unless there is more; later when the next fire is, so that nobody looks before. It never
   * passes the instant until which the rule was in force.
   */
  plannedUntil: number;
  /** The next fire after `now` that calendars leave, whatever the pause says; null: none, or `maxFires` is reached before. */
  nextFireAt: number | null;
  /** The limit cut the answer: ask again with the new mark. */
  more: boolean;
}

export function planFires(schedule: PlanningSchedule, time: PlanningTime): FirePlan {
  const { rule, paused, calendars = [] } = schedule;
  const { limit } = time;
  const now = Math.floor(time.now);
  const mark = Math.floor(schedule.plannedUntil);
  const end = Math.floor(schedule.until ?? Number.POSITIVE_INFINITY);
  const until = Math.max(mark, Math.min(now + time.horizonMs, end));
  const aliveSince = Math.floor(Math.min(now, time.aliveSince ?? now));
  const missedBefore = Math.min(aliveSince - MISSED_AFTER_MS, end + 1);
  let left = rule.maxFires === null ? Number.POSITIVE_INFINITY : rule.maxFires - schedule.firesSoFar;
  const counted = new Set(schedule.tasksAhead);

  const fires: PlannedFireDecision[] = [];
  const found = left > 0 ? placedBetween(rule, mark, until, limit + 1, calendars) : [];
  const within = found.slice(0, limit);
  const pauseEnd = paused ? (schedule.pausedUntil ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY;
  const open = within
    .filter(({ fireAt, takenOut }) => fireAt >= pauseEnd && takenOut === null)
    .map(({ fireAt }) => fireAt);
  const chosen = chooseMissed(schedule, open, { missedBefore, now, since: time.deadSince ?? mark });
  const caughtUp = new Map(chosen.map(({ fireAt, rank }) => [fireAt, aliveSince + rank * CATCH_UP_PACE_MS]));
  for (const { fireAt, rolledFrom, takenOut } of within) {
    if (left <= 0) break;
    const missed = fireAt < missedBefore;
    const skippedBy = fireAt < pauseEnd ? "paused" : takenOut;
    if (skippedBy !== null) {
      fires.push({ fireAt, dueAt: fireAt, outcome: "skipped", reason: skippedBy, caughtUp: false });
    } else if (missed && !caughtUp.has(fireAt)) {
      fires.push({ fireAt, dueAt: fireAt, outcome: "missed", reason: "no_node", caughtUp: false });
    } else {
      const dueAt = caughtUp.get(fireAt) ?? jitteredDueAt(rule, schedule.id, fireAt, calendars);
      fires.push({ fireAt, dueAt, outcome: "task", reason: rolledReason(rolledFrom), caughtUp: missed });
      if (!counted.has(fireAt)) left--;
    }
  }

  const more = left > 0 && found.length > limit;
  const lastPlanned = fires.at(-1)?.fireAt;
  let nextFire = nextFireAt(rule, now, calendars);
  if (left <= 0 && nextFire !== null && nextFire > (lastPlanned ?? mark) && !counted.has(nextFire)) nextFire = null;
  if (more) return { fires, plannedUntil: lastPlanned!, nextFireAt: nextFire, more };
  const following = left > 0 ? nextPlacedAt(rule, until, calendars) : null;
  const plannedUntil = Math.max(until, Math.min(following === null ? NEVER_AGAIN : following - 1, end));
  return { fires, plannedUntil, nextFireAt: nextFire, more };
}

/** Of a fire that was moved: the ledger has its row where it is now. */
export function rolledReason(rolledFrom: number | null): string | null {
  return rolledFrom === null ? null : `rolled:${formatInstant(rolledFrom)}`;
}

/**
 * Which missed fires among these run after all, and the how-manieth each is of all that do. How many missed ones come before and after is
 * looked at too, so that the answer is the same however a long stretch is cut.
 */
function chooseMissed(
  { rule, catchUp, calendars = [] }: PlanningSchedule,
  fires: number[],
  { missedBefore, now, since }: { missedBefore: number; now: number; since: number },
): { fireAt: number; rank: number }[] {
  const missed = fires.filter((fireAt) => fireAt < missedBefore);
  const most = mostCaughtUp(catchUp);
  if (missed.length === 0 || most === 0) return [];
  const later = firesBetween(rule, missed.at(-1)!, missedBefore - 1, most, calendars).length;
  const chosen = later === most ? [] : decideCatchUp(missed, { ...catchUp, limit: most - later }, now);
  if (chosen.length === 0) return [];
  const all = firesBetween(rule, Math.max(since, now - catchUp.windowMs - 1), missedBefore - 1, most, calendars).length;
  return chosen.map((fireAt, index) => ({ fireAt, rank: Math.max(0, all - later - chosen.length + index) }));
}
