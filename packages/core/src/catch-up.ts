/** What happens to fires that were missed because no node was alive. */

export const catchUpPolicies = ["skip", "last", "all"] as const;

/** Missed fires of one schedule that run after all are due so far apart, in their order. */
export const CATCH_UP_PACE_MS = 1_000;
/** Their tasks are in the lowest band, whatever the schedule's tasks have, and so get the least share of what is free. */
export const CATCH_UP_PRIORITY = 7;

export interface CatchUp {
  /** `skip` none of them; run the `last` one; run `all`. */
  policy: (typeof catchUpPolicies)[number];
  /** Fires missed longer ago than this stay missed. */
  windowMs: number;
  /** `all` runs at most so many, the most recent ones. */
  limit: number;
}

/** How many missed fires can become tasks at most. */
export function mostCaughtUp({ policy, limit }: CatchUp): number {
  return policy === "skip" ? 0 : policy === "last" ? 1 : limit;
}

/** Which of these missed fires (in order) become tasks after all, in order; the others stay missed. */
export function decideCatchUp(missed: readonly number[], catchUp: CatchUp, now: number): number[] {
  const most = mostCaughtUp(catchUp);
  if (most === 0) return [];
  return missed.filter((fireAt) => fireAt >= now - catchUp.windowMs).slice(-most);
}
