/** The fires around an instant. A rule leads forward only, so the one before is looked for by halving the time in which it must lie. */
import type { NamedCalendar } from "./calendar.ts";
import { nextPlacedAt, type ScheduleRule } from "./schedule.ts";

const HOUR = 3_600_000;
const YEAR = 366 * 24 * HOUR;
/** A rule with a year of its own may have fired last a long time ago. */
const SPANS_MS = [HOUR, 24 * HOUR, 32 * 24 * HOUR, YEAR, 10 * YEAR, 230 * YEAR];

/** The last fire of the ledger before `before`, also one that calendars take out; null: it had none. */
export function previousFireAt(
  rule: ScheduleRule,
  before: number,
  calendars: readonly NamedCalendar[] = [],
): number | null {
  const nextAfter = (instant: number) => nextPlacedAt(rule, instant, calendars);
  for (const span of SPANS_MS) {
    const fire = nextAfter(before - span);
    if (fire !== null && fire < before) return latestFire(nextAfter, fire, before);
  }
  return null;
}

/** `fire` is one before `before`. */
function latestFire(nextAfter: (instant: number) => number | null, fire: number, before: number): number {
  let latest = fire;
  let end = before;
  while (latest < end) {
    const middle = Math.floor((latest + end) / 2);
    const next = nextAfter(middle);
    if (next !== null && next < before) latest = next;
    else end = middle;
  }
  return latest;
}
