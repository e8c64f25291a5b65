/**
 * What the answers of a target say about it: whether tasks that call it shall wait, how long, and how many may call it at the same time.
 *
 * Its breaker opens after five failures in a row, or when at least half of the last twenty answers were failures; then for 5 s, twice as
 * long after each probe that failed, 5 min at most. Whoever answers "come back later" is left alone for as long as it asked. A queue's
 * breaker may say otherwise.
 */

import type { AttemptReport } from "./outcome.ts";

/** `half-open`: one call at a time finds out whether it is well again. */
export const targetStates = ["closed", "open", "half-open"] as const;
export type TargetState = (typeof targetStates)[number];

export interface BreakerRule {
  /** In a row, 1 to 20. As many, and at least half, of the last twenty answers do as well. */
  failures: number;
  /** How long it stays open at first. */
  openMs: number;
}

export const defaultBreaker: BreakerRule = { failures: 5, openMs: 5_000 };

const WINDOW = 20;
const FAILURES_IN_WINDOW = 10;
const OPEN_MAX_MS = 300_000;

/** How a call ended, as far as its target is concerned; null where it says nothing about it. */
export type CallVerdict = "answered" | "failed" | null;

/** An answer that is the caller's fault, as an error that no retry helps against, shows that the target is well. */
export function verdictOf(report: AttemptReport | null): CallVerdict {
  if (report?.kind === "succeeded") return "answered";
  if (report?.kind !== "failed") return null;
  switch (report.error.code) {
    case "http_status":
    case "handler_error":
    case "exit_code":
    case "timeout":
      return report.retryable ? "failed" : "answered";
    default:
      return null;
  }
}

/** The last answers of a target that is called. */
export interface TargetHealth {
  failuresInARow: number;
  /** A bit for each of the last answers, 1 for a failure; the newest is the lowest. */
  window: number;
}

export const healthy: TargetHealth = { failuresInARow: 0, window: 0 };

export function afterCall({ failuresInARow, window }: TargetHealth, verdict: "answered" | "failed"): TargetHealth {
  const failed = verdict === "failed" ? 1 : 0;
  return {
    failuresInARow: failed ? failuresInARow + 1 : 0,
    window: ((window << 1) | failed) & ((1 << WINDOW) - 1),
  };
}

export function isSick({ failuresInARow, window }: TargetHealth, { failures }: BreakerRule): boolean {
  return failuresInARow >= failures || bitsOf(window) >= Math.max(FAILURES_IN_WINDOW, failures);
}

function bitsOf(window: number): number {
  let count = 0;
  for (let left = window; left > 0; left &= left - 1) count++;
  return count;
}

/**
 * How long a breaker stays open that has opened `trips` times without closing in between, this time included. `random` is in [0, 1): a
 * tenth more or less, so that targets which broke together are not all tried together.
 */
export function openMs(trips: number, random: number, { openMs: first }: BreakerRule): number {
  const ms = Math.min(Math.max(OPEN_MAX_MS, first), first * 2 ** (Math.max(1, trips) - 1));
  return Math.round(ms * (0.9 + 0.2 * random));
}

/**
 * How many may call a target at once. While all are used each answer allows one more, until the target shows that it has enough; from then
 * on it takes a whole round of answers. Half as many after a failure.
 */
export interface TargetFlow {
  limit: number;
  /** It has shown that it has enough. */
  bounded: boolean;
  /** What it takes when it is not pressed: the quickest answers, smoothed. Infinity before the first. */
  bestMs: number;
}

/**
 * Of so many slots one target has this share before anything is known of it, so that a dead one leaves the others room, and no more than
 * this, so that its first answers tell how quick it is and not how quick it is with everybody at once.
 */
const FIRST_SHARE = 0.2;
const FIRST_MOST = 5;
/** An answer that takes so many times the best ones' time, and longer than this, comes from a target that has more than enough to do. */
const SLOW_TIMES = 4;
const SLOW_MS = 100;
/** A quicker answer counts for so much, as it may have been a fluke; a slower one only while fewer call than may. */
const QUICKER_SHARE = 0.25;
const SLOWER_SHARE = 0.01;

export function newFlow(slots: number): TargetFlow {
  const limit = Math.max(1, Math.min(FIRST_MOST, Math.floor(slots * FIRST_SHARE)));
  return { limit, bounded: false, bestMs: Number.POSITIVE_INFINITY };
}

/** @param used whether as many called it as were allowed to */
export function flowAfterAnswer(
  { limit, bounded, bestMs }: TargetFlow,
  { ms, used, slots }: { ms: number; used: boolean; slots: number },
): TargetFlow {
  if (ms > SLOW_MS && ms > SLOW_TIMES * bestMs) {
    // One that is slow with a single caller too has become slower for good.
    const best = limit === 1 ? bestMs + (ms - bestMs) / 10 : bestMs;
    return { limit: Math.max(1, limit * 0.9), bounded: true, bestMs: best };
  }
  const best = bestMs === Number.POSITIVE_INFINITY ? ms : bestMs + (ms - bestMs) * shareOf(ms < bestMs, used);
  const more = used ? limit + (bounded ? 1 / limit : 1) : limit;
  return { limit: Math.min(Math.max(1, slots), more), bounded, bestMs: best };
}

const shareOf = (quicker: boolean, used: boolean) => (quicker ? QUICKER_SHARE : used ? 0 : SLOWER_SHARE);

export function flowAfterFailure({ limit, bestMs }: TargetFlow): TargetFlow {
  return { limit: Math.max(1, limit / 2), bounded: true, bestMs };
}
