/**
 * What new time zone data does to a schedule that was planned with older data: the same rule and calendars may have other instants. Fires
 * that were planned and have not begun are decided again; those that stay as they were are left alone.
 */
import type { NamedCalendar } from "./calendar.ts";
import { type PlanningSchedule, planFires } from "./plan.ts";
import { type ScheduleRule, sourcesOf } from "./schedule.ts";

/** Whether zone data decides when it fires. Intervals do not look at the wall clock, and some zones are an offset by definition. */
export function dependsOnZoneData(rule: ScheduleRule, calendars: readonly NamedCalendar[] = []): boolean {
  // Its fires follow ends; a plan ahead of it has one at most.
  if (rule.delay !== undefined) return false;
  const wall = sourcesOf(rule).some(({ source }) => source.every === undefined);
  return (wall && !isOffset(rule.timeZone)) || calendars.some(({ calendar }) => !isOffset(calendar.timeZone));
}

/** Not `EST` and its like, which newer data takes for a region. */
const isOffset = (zone: string): boolean => /^(etc\/.+|utc|uct|zulu|universal|greenwich|gmt([+-]?0)?)$/i.test(zone);

/** A fire of the ledger that is to come. */
export interface FireAhead {
  fireAt: number;
  outcome: "task" | "skipped";
  /** Its task waits and nobody has claimed it, so that it can still be withdrawn. */
  waits: boolean;
}

export interface FireShift {
  /** Fires ahead that there are no more, or not with this outcome. */
  removed: number[];
  /** The first fires up to the mark that were not planned: they are planned once the mark is back at `now`. */
  added: number[];
  nextFireAt: number | null;
}

/** More than a planner has ahead. A mark may be far ahead where a rule had no fires. */
const MOST_AHEAD = 1_000;
const MOST_ADDED = 100;

/** What becomes of `ahead`, the schedule's fires after `now`, by the zone data that there is. `plannedUntil` is its mark. */
export function shiftFires(
  schedule: Omit<PlanningSchedule, "tasksAhead" | "until">,
  ahead: readonly FireAhead[],
  now: number,
): FireShift {
  const waiting = ahead.filter(({ waits }) => waits);
  const held = ahead.filter(({ outcome, waits }) => outcome === "task" && !waits).map(({ fireAt }) => fireAt);
  const plan = planFires(
    {
      ...schedule,
      plannedUntil: now,
      firesSoFar: schedule.firesSoFar - waiting.length,
      tasksAhead: held,
      until: null,
    },
    { now, horizonMs: Math.max(0, schedule.plannedUntil - now), limit: MOST_AHEAD },
  );
  const before = new Map(ahead.map(({ fireAt, outcome }) => [fireAt, outcome]));
  const after = new Map(plan.fires.map(({ fireAt, outcome }) => [fireAt, outcome]));
  const movable = ahead.filter(({ outcome, waits }) => waits || outcome === "skipped");
  return {
    removed: movable.filter(({ fireAt, outcome }) => after.get(fireAt) !== outcome).map(({ fireAt }) => fireAt),
    added: plan.fires
      .filter(({ fireAt, outcome }) => before.get(fireAt) !== outcome && !held.includes(fireAt))
      .map(({ fireAt }) => fireAt)
      .slice(0, MOST_ADDED),
    nextFireAt: plan.nextFireAt,
  };
}
