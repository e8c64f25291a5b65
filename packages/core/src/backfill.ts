/**
 * Tasks for past fires of a schedule, in pages. How many of them may be under way says the capacity of those who run them, so that new
 * fires and everything else go on meanwhile.
 */
import type { NamedCalendar } from "./calendar.ts";
import { firesBetween, type ScheduleRule } from "./schedule.ts";

export interface Backfill {
  /** As the schedule was when it was asked for. */
  rule: ScheduleRule;
  /** Those that it excluded; what they cover is left out. */
  calendars: readonly NamedCalendar[];
  /** `from <= fire < to` */
  from: number;
  to: number;
}

/** Of the slots of those who run the type. */
const SHARE = 0.25;
/** However many slots there are, and as many as wait while nobody runs the type. */
export const MOST_BACKFILLED = 100;

/** How many tasks of a backfill may wait or run at a time, with so many slots of workers that run its type. */
export function backfillWindow(slots: number): number {
  if (slots === 0) return MOST_BACKFILLED;
  return Math.max(1, Math.min(MOST_BACKFILLED, Math.floor(slots * SHARE)));
}

/** The next fires after `after` (null: from the beginning), as many as there is room for. */
export function nextBackfillPage(
  { rule, calendars, from, to }: Backfill,
  { after, room }: { after: number | null; room: number },
): { fires: number[]; finished: boolean } {
  if (room <= 0) return { fires: [], finished: false };
  const found = firesBetween(rule, after ?? from - 1, to - 1, room + 1, calendars);
  return { fires: found.slice(0, room), finished: found.length <= room };
}
