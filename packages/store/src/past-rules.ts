/**
 * A schedule's mark may be behind when it is changed: after a downtime, or when planners are busy. Fires in between belong to what was in
 * force then, so that is kept beside the schedule until they are planned, one entry for each change.
 */
import { CarillonError, type NamedCalendar } from "@carillon/core";
import type { ScheduleRecord, ScheduleToPlan } from "./store.ts";

export interface PastRule extends Pick<ScheduleRecord, "version" | "definition" | "paused"> {
  /** In force up to here, from the entry before it or from the mark on. Whole milliseconds, as fires are. */
  until: number;
  /** When its pause would have ended by itself; absent: not at all. */
  pausedUntil?: number;
  /** Those that it named, as they were; absent when there were none. */
  calendars?: NamedCalendar[];
}

/** Changes while the planner is behind. It needs a round for each; whoever makes more has to wait for it. */
const MOST = 20;

/**
 * What is to be kept when this schedule is changed now. `calendars` are those that it names, as they were until now; `last`: no change
 * follows, as it is deleted.
 */
export function pastAfterChange(
  schedule: ScheduleRecord & { past: PastRule[] },
  now: number,
  calendars: NamedCalendar[],
  { last = false } = {},
): PastRule[] {
  const { version, definition, paused, pause, plannedUntil, past } = schedule;
  const until = Math.floor(now);
  if ((past.at(-1)?.until ?? plannedUntil) >= until) return past;
  if (past.length >= MOST && !last) {
    throw new CarillonError("unavailable", {
      detail: "The schedule changes faster than its fires are planned.",
      retryAfterMs: 1_000,
    });
  }
  const pausedUntil = pause?.until ?? null;
  const rule: PastRule = {
    until,
    version,
    definition,
    paused,
    ...(pausedUntil === null ? {} : { pausedUntil }),
    ...(calendars.length > 0 ? { calendars } : {}),
  };
  return [...past, rule];
}

export type AtItsMark = Omit<ScheduleToPlan, "tasksAhead" | "zoneData" | "calendars"> & { calendars?: NamedCalendar[] };

/** The schedule as it was at its mark. Without `calendars` those count that there are now. */
export function atItsMark(schedule: ScheduleRecord, [first]: readonly PastRule[]): AtItsMark {
  const pausedUntil = first ? (first.pausedUntil ?? null) : (schedule.pause?.until ?? null);
  return { ...schedule, until: null, ...first, pausedUntil };
}

/** What is left of the past with the mark there. */
export function pastAfterPlan(past: PastRule[], plannedUntil: number): PastRule[] {
  return past.filter(({ until }) => until > plannedUntil);
}
