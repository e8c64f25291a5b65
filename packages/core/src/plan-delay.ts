/**
 * What a planner does for a schedule with a fixed delay. Its next fire depends on an end that nobody knows yet, so it has one fire at a
 * time: once that is a task, nothing is planned until the task is final.
 */
import { decideCatchUp } from "./catch-up.ts";
import { parseDuration } from "./duration.ts";
import { reasonOf, takenOutAt } from "./exclusion.ts";
import { parseInstant } from "./instant.ts";
import { type FirePlan, MISSED_AFTER_MS, NEVER_AGAIN, type PlanningSchedule, type PlanningTime } from "./plan.ts";
import { jitteredDueAt, type ScheduleRule } from "./schedule.ts";

/** The latest fire of a schedule that was not withdrawn. */
export interface PreviousFire {
  fireAt: number;
  /** Its task is not final. */
  open: boolean;
  /** When its task became final; null: it had none, or the task is forgotten. */
  endedAt: number | null;
}

export interface DelayedSchedule extends Omit<PlanningSchedule, "tasksAhead"> {
  previous: PreviousFire | null;
  /** When it was created, changed, paused or resumed last. */
  updatedAt: number;
}

/** Whether the schedule waits for an end: `plannedUntil` is then as of a rule that never fires again. */
export function planDelayedFires(schedule: DelayedSchedule, time: PlanningTime): FirePlan {
  const { rule, paused, calendars = [], catchUp, previous } = schedule;
  const now = Math.floor(time.now);
  const end = Math.floor(schedule.until ?? Number.POSITIVE_INFINITY);
  let mark = Math.floor(schedule.plannedUntil);
  const horizon = Math.max(mark, Math.min(now + time.horizonMs, end));
  const missedBefore = Math.min(Math.floor(Math.min(now, time.aliveSince ?? now)) - MISSED_AFTER_MS, end + 1);
  const left = rule.maxFires === null ? Number.POSITIVE_INFINITY : rule.maxFires - schedule.firesSoFar;
  const pauseEnd = paused ? (schedule.pausedUntil ?? Number.POSITIVE_INFINITY) : Number.NEGATIVE_INFINITY;
  const fires: FirePlan["fires"] = [];
  const rest = (nextFireAt: number | null): FirePlan => {
    return { fires, plannedUntil: Math.max(mark, Math.min(NEVER_AGAIN, end)), nextFireAt, more: false };
  };
  if (previous?.open || left <= 0) return rest(null);

  let at = previous ? afterEnd(rule, previous.endedAt ?? previous.fireAt) : firstDelayedFire(rule, schedule.updatedAt);
  for (; ; at = afterEnd(rule, at)) {
    at = Math.max(at, mark + 1);
    if (rule.endAt !== null && at >= parseInstant(rule.endAt)!) return rest(null);
    if (at > horizon) return { fires, plannedUntil: Math.min(at - 1, end), nextFireAt: at, more: false };
    if (fires.length === time.limit) return { fires, plannedUntil: mark, nextFireAt: at, more: true };
    const taken = at < pauseEnd ? null : takenOutAt(calendars, at);
    const skippedBy = at < pauseEnd ? "paused" : taken && reasonOf(taken);
    const missed = at < missedBefore;
    mark = at;
    if (skippedBy) {
      fires.push({ fireAt: at, dueAt: at, outcome: "skipped", reason: skippedBy, caughtUp: false });
    } else if (missed && decideCatchUp([at], catchUp, now).length === 0) {
      fires.push({ fireAt: at, dueAt: at, outcome: "missed", reason: "no_node", caughtUp: false });
      // What would have followed is not known; it goes on from here.
      at = now;
    } else {
      const dueAt = jitteredDueAt(rule, schedule.id, at);
      fires.push({ fireAt: at, dueAt, outcome: "task", reason: null, caughtUp: missed });
      return rest(at > now ? at : null);
    }
  }
}

/** At `startAt`, if that is still to come at `since`; else one interval later. */
export function firstDelayedFire(rule: ScheduleRule, since: number): number {
  const startAt = rule.startAt === null ? null : parseInstant(rule.startAt)!;
  return startAt !== null && startAt >= since ? startAt : afterEnd(rule, since);
}

function afterEnd({ delay, startAt }: ScheduleRule, end: number): number {
  const at = Math.ceil(end) + parseDuration(delay!)!;
  return startAt === null ? at : Math.max(at, parseInstant(startAt)!);
}
