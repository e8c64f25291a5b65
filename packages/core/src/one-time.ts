/** One-time fires: an instant, or a time on the wall clock of the schedule's zone, which its policy places where the clock changes. */

import { parseInstant } from "./instant.ts";
import { type DstPolicy, EARLIEST, nextFire, once, type WallRule } from "./wall-rule.ts";

export interface OneTime {
  /** Null for what is an instant already: with an offset, or with a zone of its own. */
  wallRule: WallRule | null;
  next(after: number): number | null;
}

const WALL = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d))?$/;

/** `2026-12-24T18:00` or an instant as everywhere else, in the years 1970 to 2199; null for anything else. */
export function parseOneTime(text: string, { timeZone, dst }: { timeZone: string; dst: DstPolicy }): OneTime | null {
  const [, minute, second = "00"] = WALL.exec(text) ?? [];
  const time = parseInstant(minute === undefined ? text : `${minute}:${second}Z`);
  if (time === null || time < EARLIEST || time >= Date.UTC(2200, 0, 1)) return null;
  if (minute === undefined) return { wallRule: null, next: (after) => (after < time ? time : null) };
  const wallRule = once(time);
  return { wallRule, next: (after) => nextFire(wallRule, timeZone, dst, after) };
}
