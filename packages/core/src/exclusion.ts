/** Rules without the fires that calendars take out: what an excluded one covers, and what no included one does. */
import type { NamedCalendar } from "./calendar.ts";
import { coveredFrom, coveredUntil, LONGEST_COVER_MS } from "./calendar-cover.ts";

/**
 * So many covered stretches are passed in search of the next fire (years of nights, months of hours), over thirty years at most. That nobody
 * finds one then is what people see; what decides about fires (`planFires`) looks at each and does not search.
 */
export const MOST_STRETCHES = 1_000;

export interface TakenOut {
  /** The excluded calendar that covers it; null: there are included ones, and none of them does. */
  by: string | null;
  /** So surely are all instants up to then. */
  until: number;
}

/** Enough to know of one instant. */
const THIS_INSTANT_MS = 1;

/** Whether these calendars take this instant out, by the first one that does; null: they leave it. */
export function takenOutAt(
  calendars: readonly NamedCalendar[],
  instant: number,
  withinMs = THIS_INSTANT_MS,
): TakenOut | null {
  let begins: number | null = null;
  for (const { name, calendar, included } of calendars) {
    if (included) {
      begins = Math.min(begins ?? Number.POSITIVE_INFINITY, coveredFrom(calendar, instant, withinMs));
    } else {
      const until = coveredUntil(calendar, instant, withinMs);
      if (until !== null) return { by: name, until };
    }
  }
  return begins === null || begins === instant ? null : { by: null, until: begins };
}

/** Up to when they surely take out nothing, from an instant on that they leave. */
export function leftUntil(calendars: readonly NamedCalendar[], instant: number, withinMs: number): number {
  let inside: number | null = null;
  let until = Number.POSITIVE_INFINITY;
  for (const { calendar, included } of calendars) {
    if (included) inside = Math.max(inside ?? instant, coveredUntil(calendar, instant, withinMs) ?? instant);
    else until = Math.min(until, coveredFrom(calendar, instant, withinMs));
  }
  return Math.min(until, inside ?? until);
}

/** As the ledger has it. */
export const reasonOf = ({ by }: TakenOut): string => (by === null ? "not_included" : `excluded:${by}`);

/** `next`, from an instant to the fire after it, without those that are taken out. Leaps to the end of a covered stretch. */
export function withoutTakenOut(
  next: (after: number) => number | null,
  calendars: readonly NamedCalendar[],
): (after: number) => number | null {
  if (calendars.length === 0) return next;
  return (after) => {
    let fire = next(after);
    const end = (fire ?? 0) + LONGEST_COVER_MS;
    for (let stretches = 0; fire !== null && stretches < MOST_STRETCHES; stretches++) {
      const taken = takenOutAt(calendars, fire, LONGEST_COVER_MS);
      if (!taken) return fire;
      if (taken.until > end) return null;
      fire = next(taken.until - 1);
    }
    return null;
  };
}
