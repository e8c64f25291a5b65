/** Rules without the fires that calendars cover. */
import type { NamedCalendar } from "./calendar.ts";
import { coveredUntil, LONGEST_COVER_MS } from "./calendar-cover.ts";

/**
 * So many covered stretches are passed in search of the next fire (years of nights, months of hours), over thirty years at most. That nobody
 * finds one then is what people see; what decides about fires (`planFires`) looks at each and does not search.
 */
const MOST_STRETCHES = 1_000;

/** The first of these calendars that covers this instant, and until when; null: none does. */
export function exclusionAt(
  calendars: readonly NamedCalendar[],
  instant: number,
): { name: string; until: number } | null {
  for (const { name, calendar } of calendars) {
    const until = coveredUntil(calendar, instant);
    if (until !== null) return { name, until };
  }
  return null;
}

/** `next`, from an instant to the fire after it, without those that are covered. Leaps to the end of a covered stretch. */
export function withoutExcluded(
  next: (after: number) => number | null,
  calendars: readonly NamedCalendar[],
): (after: number) => number | null {
  if (calendars.length === 0) return next;
  return (after) => {
    let fire = next(after);
    const end = (fire ?? 0) + LONGEST_COVER_MS;
    for (let stretches = 0; fire !== null && stretches < MOST_STRETCHES; stretches++) {
      const exclusion = exclusionAt(calendars, fire);
      if (!exclusion) return fire;
      if (exclusion.until > end) return null;
      fire = next(exclusion.until - 1);
    }
    return null;
  };
}
