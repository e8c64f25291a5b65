/**
 * Fires that a calendar takes out and a schedule moves: to the nearest day, forwards or back, on which the calendars leave the same time of
 * the day on the schedule's clock. A fire is where it was moved to; several at one instant are one. Rules lead forward only, so whoever asks
 * what comes after an instant walks through all fires from which something may be moved past it.
 */
import type { NamedCalendar } from "./calendar.ts";
import { LONGEST_COVER_MS } from "./calendar-cover.ts";
import { leftUntil, MOST_STRETCHES, reasonOf, takenOutAt } from "./exclusion.ts";
import { type DstPolicy, nextFire, once } from "./wall-rule.ts";
import { LARGEST_OFFSET_MS, offsetAt } from "./zone.ts";

export const rolls = ["none", "next", "previous"] as const;
export type Roll = Exclude<(typeof rolls)[number], "none">;

/** A fire at its place. */
export interface Placement {
  fireAt: number;
  /** Where the rule has it, when it was moved: of several that were, the first; null: there. */
  rolledFrom: number | null;
  /** Calendars take it out, and it was not moved: the ledger's reason; null: it fires. */
  takenOut: string | null;
}

export interface RollingRule {
  /** The rule's own fire after an instant, whatever calendars say. */
  next: (after: number) => number | null;
  roll: Roll;
  timeZone: string;
  dst: DstPolicy;
  /** It fires in `startAt <= t < endAt`, moved or not. */
  startAt: number;
  endAt: number;
}

const DAY_MS = 86_400_000;
/** When there is none so many days around it, a fire stays where it is, taken out. */
export const MOST_DAYS = 31;
/** Nothing is moved further: a change of the clock adds a day at most, and a gap another. */
const REACH_MS = (MOST_DAYS + 2) * DAY_MS;
/** Nor over so long a stretch of which calendars take out nothing: every time of the day comes in it, also when a gap takes one away. */
const OPEN_MS = 2 * DAY_MS + 3 * 3_600_000;

/**
 * Those after `after`, in order. `searching`: only those that fire; stretches in which none does are leapt over, and after too many or too
 * long ones it gives up, as `withoutTakenOut` does.
 */
export function* placements(
  rule: RollingRule,
  calendars: readonly NamedCalendar[],
  after: number,
  { searching }: { searching: boolean },
): Generator<Placement, void> {
  const { next, roll } = rule;
  const place = placer(rule, calendars);
  const waiting: Placement[] = [];
  let vain = 0;
  let vainSince = 0;
  for (let at = next(roll === "next" ? earliest(calendars, after) : after); at !== null; ) {
    while (waiting.length > 0 && isSettled(roll, calendars, waiting[0]!.fireAt, at)) yield waiting.shift()!;
    const placement = place(at);
    const isVain = searching && placement.takenOut !== null;
    if (!isVain && placement.fireAt > after) insert(waiting, placement);
    vain = isVain ? vain + 1 : 0;
    if (vain <= 1) vainSince = at;
    if (vain >= MOST_STRETCHES || at > vainSince + LONGEST_COVER_MS) break;
    if (isVain) at = next(endOfVain(roll, calendars, at) - 1);
    else if (at < after && placement.rolledFrom === null && placement.takenOut === null) {
      at = next(Math.min(after, leftUntil(calendars, at, after - at) - 1));
    } else at = next(at);
  }
  yield* waiting;
}

/** From where on fires may be moved past this instant. */
function earliest(calendars: readonly NamedCalendar[], after: number): number {
  for (let until = after; until > after - REACH_MS; until -= DAY_MS) {
    if (isOpen(calendars, until - OPEN_MS, until)) return until - OPEN_MS;
  }
  return after - REACH_MS;
}

/** Whether the rule's fire at `at` and those behind it go past this place. */
function isSettled(roll: Roll, calendars: readonly NamedCalendar[], place: number, at: number): boolean {
  if (place >= at) return false;
  if (roll === "next" || place < at - REACH_MS) return true;
  return at > place + OPEN_MS && isOpen(calendars, place + 1, place + OPEN_MS);
}

/** Whether calendars surely take out nothing in between. */
function isOpen(calendars: readonly NamedCalendar[], from: number, until: number): boolean {
  return takenOutAt(calendars, from) === null && leftUntil(calendars, from, until - from + 1) > until;
}

/** In order, one of each instant: that which belongs there, else the first that was moved there. */
function insert(waiting: Placement[], placement: Placement): void {
  let index = waiting.length;
  while (index > 0 && waiting[index - 1]!.fireAt >= placement.fireAt) index--;
  if (waiting[index]?.fireAt !== placement.fireAt) waiting.splice(index, 0, placement);
  else if (placement.rolledFrom === null) waiting[index] = placement;
}

/** Up to where no fire finds its day, as the one at this instant did not. */
function endOfVain(roll: Roll, calendars: readonly NamedCalendar[], at: number): number {
  const following = at + 1;
  if (roll === "next") {
    const until = takenOutAt(calendars, at, LONGEST_COVER_MS)?.until ?? at;
    return Math.max(following, until - REACH_MS);
  }
  return Math.max(following, takenOutAt(calendars, at - REACH_MS, LONGEST_COVER_MS)?.until ?? at);
}

/** Where a fire of the rule goes. */
export function placer(rule: RollingRule, calendars: readonly NamedCalendar[]): (at: number) => Placement {
  const step = rule.roll === "next" ? DAY_MS : -DAY_MS;
  // Neighbours are moved to the same days.
  const known = new Map<number, number | null>();
  const landing = (wall: number): number | null => {
    let instant = known.get(wall);
    if (instant === undefined) known.set(wall, (instant = instantOf(rule, calendars, wall)));
    return instant;
  };
  return (at) => {
    const taken = takenOutAt(calendars, at);
    if (!taken) return { fireAt: at, rolledFrom: null, takenOut: null };
    const wall = at + offsetAt(rule.timeZone, at);
    for (let days = 1; days <= MOST_DAYS; days++) {
      const fireAt = landing(wall + days * step);
      if (fireAt !== null) return { fireAt, rolledFrom: at, takenOut: null };
    }
    return { fireAt: at, rolledFrom: null, takenOut: reasonOf(taken) };
  };
}

/** Of a wall time, by the rule's policy for changes of the clock, where it may fire; of two the first, unless the second is asked for. */
function instantOf(
  { timeZone, dst, startAt, endAt }: RollingRule,
  calendars: readonly NamedCalendar[],
  wall: number,
): number | null {
  const instant = nextFire(once(wall), timeZone, dst, wall - LARGEST_OFFSET_MS);
  if (instant === null || instant < startAt || instant >= endAt) return null;
  return takenOutAt(calendars, instant) === null ? instant : null;
}
