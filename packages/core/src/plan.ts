/**
 * What a planner does for one schedule. It runs ahead: every fire up to `now + horizon` gets its row and, mostly, its task. Fires in a
 * past in which no node was alive are missed, and the catch-up policy decides which of them run after all.
 */
import type { NamedCalendar } from "./calendar.ts";
import { type CatchUp, decideCatchUp, mostCaughtUp } from "./catch-up.ts";
import { exclusionAt } from "./exclusion.ts";
import { firesBetween, jitteredDueAt, nextFireAt, type ScheduleRule } from "./schedule.ts";

/** A fire is missed when no node was alive at its instant nor so long after it. */
export const MISSED_AFTER_MS = 10_000;

/** The mark of a schedule that will never fire again. */
export const NEVER_AGAIN = Date.UTC(2200, 0, 1);

export interface PlanningSchedule {
  id: bigint;
  rule: ScheduleRule;
  catchUp: CatchUp;
  /** Fires that one of these covers are skipped, and never caught up. Left out: none. */
  calendars?: readonly NamedCalendar[];
  /** All fires up to here have been decided. */
  plannedUntil: number;
  /** Fires that became tasks. */
  firesSoFar: number;
  /** Of these, the ones after the mark, which went back over them. Needed for rules with `maxFires` only. */
  tasksAhead: readonly number[];
  paused: boolean;
  /** Rule and pause were in force until then, and are planned no further; null: they still are. */
  until: number | null;
}

export interface PlanningTime {
  now: number;
  horizonMs: number;
  /** Some node has been alive since then without a break; left out: nobody was before now. */
  aliveSince?: number;
  /** At most so many fires in one answer. */
  limit: number;
}

export interface PlannedFireDecision {
  fireAt: number;
  dueAt: number;
  outcome: "task" | "missed" | "skipped";
  /** `paused` for what a pause skipped, `excluded:NAME` for what a calendar did, `no_node` for what was missed. */
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
  /** The next fire after `now` that no calendar covers, whatever the pause says; null: none, or `maxFires` is reached before. */
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
  const missedBefore = Math.min(Math.floor(Math.min(now, time.aliveSince ?? now)) - MISSED_AFTER_MS, end + 1);
  let left = rule.maxFires === null ? Number.POSITIVE_INFINITY : rule.maxFires - schedule.firesSoFar;
  const counted = new Set(schedule.tasksAhead);

  const fires: PlannedFireDecision[] = [];
  const found = left > 0 ? firesBetween(rule, mark, until, limit + 1) : [];
  const within = found.slice(0, limit);
  const excluded = paused ? new Map<number, string>() : excludedAmong(within, calendars);
  const open = within.filter((fireAt) => !excluded.has(fireAt));
  const caughtUp = new Set(paused ? [] : chooseMissed(schedule, open, missedBefore, now));
  for (const fireAt of within) {
    if (left <= 0) break;
    const missed = fireAt < missedBefore;
    const skippedBy = paused ? "paused" : excluded.get(fireAt);
    if (skippedBy !== undefined) {
      fires.push({ fireAt, dueAt: fireAt, outcome: "skipped", reason: skippedBy, caughtUp: false });
    } else if (missed && !caughtUp.has(fireAt)) {
      fires.push({ fireAt, dueAt: fireAt, outcome: "missed", reason: "no_node", caughtUp: false });
    } else {
      const dueAt = jitteredDueAt(rule, schedule.id, fireAt);
      fires.push({ fireAt, dueAt, outcome: "task", reason: null, caughtUp: missed });
      if (!counted.has(fireAt)) left--;
    }
  }

  const more = left > 0 && found.length > limit;
  const lastPlanned = fires.at(-1)?.fireAt;
  let nextFire = nextFireAt(rule, now, calendars);
  if (left <= 0 && nextFire !== null && nextFire > (lastPlanned ?? mark) && !counted.has(nextFire)) nextFire = null;
  if (more) return { fires, plannedUntil: lastPlanned!, nextFireAt: nextFire, more };
  const following = left > 0 ? nextFireAt(rule, until) : null;
  const plannedUntil = Math.max(until, Math.min(following === null ? NEVER_AGAIN : following - 1, end));
  return { fires, plannedUntil, nextFireAt: nextFire, more };
}

/** Those that a calendar covers, with the reason. Each has its row, as those of a pause have: their number is the rule's own. */
function excludedAmong(fires: number[], calendars: readonly NamedCalendar[]): Map<number, string> {
  const excluded = new Map<number, string>();
  for (const fireAt of fires) {
    const exclusion = exclusionAt(calendars, fireAt);
    if (exclusion) excluded.set(fireAt, `excluded:${exclusion.name}`);
  }
  return excluded;
}

/**
 * Which missed fires among these run after all. How many missed ones follow them is looked at too, so that the same fires are chosen
 * however a long stretch is cut into answers.
 */
function chooseMissed(
  { rule, catchUp, calendars = [] }: PlanningSchedule,
  fires: number[],
  missedBefore: number,
  now: number,
): number[] {
  const missed = fires.filter((fireAt) => fireAt < missedBefore);
  const most = mostCaughtUp(catchUp);
  if (missed.length === 0 || most === 0) return [];
  const room = most - firesBetween(rule, missed.at(-1)!, missedBefore - 1, most, calendars).length;
  return room === 0 ? [] : decideCatchUp(missed, { ...catchUp, limit: room }, now);
}
