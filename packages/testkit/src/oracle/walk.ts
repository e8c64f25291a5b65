/**
 * Fires as somebody would find them who sits before the clock on the wall with the rule and the policy in hand: instant by instant, noting
 * what the clock shows, what it shows twice, and what it leaves out. Minute by minute where the clock keeps whole minutes and the rule says
 * nothing of seconds, else second by second. Hours through which the clock plainly runs and which the rule does not name are slept through.
 */
import type { PlainRule } from "./plain-cron.ts";
import type { WallClock } from "./wall-clock.ts";

export interface Policy {
  gap: "next" | "skip" | "shift";
  overlap: "first" | "second" | "both";
}

const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** What was noted of the wall times that the rule names. */
export interface Sightings {
  from: number;
  until: number;
  rhythm: boolean;
  /** The instants that showed it. */
  shown: Map<number, number[]>;
  /** Left out by a jump: where the clock was `next`, and where this would have come had it not jumped. */
  missing: Map<number, { next: number; shift: number }>;
}

/** With `from <= fire <= until`, in order. */
export function walkFires(rule: PlainRule, clock: WallClock, policy: Policy, from: number, until: number): number[] {
  return firesOf(walk(rule, clock, from, until), policy);
}

export function walk(rule: PlainRule, clock: WallClock, from: number, until: number): Sightings {
  const sightings: Sightings = { from, until, rhythm: rule.rhythm, shown: new Map(), missing: new Map() };
  const { shown, missing } = sightings;
  const [start, end] = withChangesNear(clock, from, until);
  let last = { at: start - MINUTE, wall: clock.wallAt(start - MINUTE) };
  let stepMs = stepOn(clock, rule, start);
  for (let hour = start; hour <= end; hour += HOUR) {
    if (hour % DAY === 0) stepMs = stepOn(clock, rule, hour);
    const hourEnd = hour + HOUR - 1000;
    const [firstWall, lastWall] = [clock.wallAt(hour), clock.wallAt(hourEnd)];
    const asleep = lastWall - firstWall === HOUR - 1000 && !isNamed(rule, firstWall) && !isNamed(rule, lastWall);
    for (let at = hour; at <= hourEnd; at += stepMs) {
      const wall = clock.wallAt(at);
      for (let left = last.wall + at - last.at; left < wall; left += stepMs) {
        if (matches(rule, left)) missing.set(left, { next: at, shift: last.at + (left - last.wall) });
      }
      last = { at, wall };
      if (asleep) {
        last = { at: hourEnd, wall: lastWall };
        break;
      }
      if (!matches(rule, wall)) continue;
      const instants = shown.get(wall);
      if (instants) instants.push(at);
      else shown.set(wall, [at]);
    }
  }
  return sightings;
}

export function firesOf({ from, until, rhythm, shown, missing }: Sightings, { gap, overlap }: Policy): number[] {
  const fires = new Set<number>();
  for (const instants of shown.values()) {
    if (rhythm || overlap === "both") for (const at of instants) fires.add(at);
    else fires.add(overlap === "first" ? instants[0]! : instants.at(-1)!);
  }
  if (!rhythm && gap !== "skip") {
    for (const [wall, left] of missing) if (!shown.has(wall)) fires.add(left[gap]);
  }
  return [...fires].filter((at) => at >= from && at <= until).sort((a, b) => a - b);
}

/** From a full hour on, with a day more on a side where a change is near: what it repeats or moves lies within a day. */
function withChangesNear(clock: WallClock, from: number, until: number): [number, number] {
  const changesNear = (at: number) => [at - DAY, at, at + DAY].some((day) => clock.offsetOfDay(day) === null);
  const start = changesNear(from) ? from - DAY : from;
  return [Math.max(DAY, Math.floor(start / HOUR) * HOUR), changesNear(until) ? until + DAY : until];
}

function stepOn(clock: WallClock, rule: PlainRule, at: number): number {
  if (rule.usesSeconds) return 1000;
  const offset = clock.offsetOfDay(at);
  if (offset !== null) return offset % MINUTE === 0 ? MINUTE : 1000;
  const day = Math.floor(at / DAY) * DAY;
  for (let minute = day; minute <= day + DAY; minute += MINUTE) if (clock.wallAt(minute) % MINUTE !== 0) return 1000;
  return MINUTE;
}

function isNamed(rule: PlainRule, wall: number): boolean {
  return rule.inHour(Math.floor(wall / HOUR) % 24) && rule.onDay(wall);
}

function matches(rule: PlainRule, wall: number): boolean {
  return (
    rule.inMinute(Math.floor(wall / MINUTE) % 60) &&
    rule.inHour(Math.floor(wall / HOUR) % 24) &&
    wall % 1000 === 0 &&
    rule.inSecond(Math.floor(wall / 1000) % 60) &&
    rule.onDay(wall)
  );
}
