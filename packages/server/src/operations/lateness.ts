/** How late tasks start, by queue, over all nodes: what they have written (`loops/lateness.ts`) until some seconds ago. */
import { formatDuration, formatInstant, latenessBucketsMs, latenessPhases, latenessQuantile } from "@carillon/core";
import type { QueueLateness } from "@carillon/store";
import type { LatenessAnswer, LatenessQuery, QueueLatenessAnswer } from "../http/schemas/lateness.ts";
import type { Deps } from "./deps.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 5 * 60_000;

export async function listLateness(
  { store, clock }: Pick<Deps, "store" | "clock">,
  namespace: string,
  { window = HOUR_MS, queue }: LatenessQuery,
): Promise<LatenessAnswer> {
  const now = clock.now();
  const from = Math.floor((now - window) / STEP_MS) * STEP_MS;
  // The step of a node whose clock is a little ahead counts too.
  const counted = await store.lateness(namespace, { from, to: now + STEP_MS });
  return {
    window: formatDuration(window),
    from: formatInstant(from),
    to: formatInstant(now),
    queues: counted.filter((each) => queue === undefined || each.queue === queue).map(toQueueLateness),
  };
}

function toQueueLateness({ queue, counts, maxMs, phasesMs }: QueueLateness): QueueLatenessAnswer {
  const started = counts.reduce((sum, count) => sum + count, 0);
  const means = latenessPhases.map((phase, index) => [phase, rounded(phasesMs[index]! / Math.max(1, started))]);
  const quantile = (share: number) => {
    const ms = latenessQuantile(counts, share, maxMs);
    return ms === null ? null : rounded(ms);
  };
  return {
    queue,
    started,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: started === 0 ? null : rounded(maxMs),
    histogram: toHistogram(counts),
    meanMs: Object.fromEntries(means),
  };
}

/** By the steps of core's `latenessBucketsMs`. */
export function toHistogram(counts: readonly number[]): { toMs: number | null; count: number }[] {
  return counts.map((count, index) => ({ toMs: latenessBucketsMs[index] ?? null, count }));
}

/** To the microsecond: what follows is noise. */
const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;
