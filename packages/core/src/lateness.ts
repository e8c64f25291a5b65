/**
 * How late tasks start, and where that arose. A task's way to its handler has five stretches, each measured by one clock:
 *
 * - `planner`: from the due instant until the task existed; only for fires of a schedule, which were then planned late;
 * - `claim`: from then on until a node had it, committed: it lay in the store, because no worker had a slot or the claim was slow;
 * - `dispatch`: until the node handed it to a worker: no slot at that moment, or a busy event loop;
 * - `transport`: until the worker had it. Nobody can see that without comparing two clocks: half of the round trip, less what the worker
 *   says it spent (waiting, running, keeping the outcome);
 * - `start`: until its turn came in the worker.
 *
 * The last four add up to its lateness, `startedAt − max(dueAt, createdAt)`; all five to `startedAt − dueAt`, for a fire.
 */
export const latenessPhases = ["planner", "claim", "dispatch", "transport", "start"] as const;
export type LatenessPhase = (typeof latenessPhases)[number];

/** Upper bounds of the histogram, inclusive; one more bucket holds the rest. */
export const latenessBucketsMs: readonly number[] = [
  1, 2, 3, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000,
];

export function latenessBucket(ms: number): number {
  let index = 0;
  while (index < latenessBucketsMs.length && ms > latenessBucketsMs[index]!) index++;
  return index;
}

/** All that is known of an attempt's start: monotonic instants and durations of its node, and what its worker said. */
export interface StartFacts {
  /** The due instant, or the creation where that was later, and the start. */
  readyAt: number;
  startedAt: number;
  /** From having it, committed, until the hand-over; negative for a task that another node had handed over. */
  heldMs: number;
  transportMs: number;
  waitedMs: number;
  /** How long after its due instant it was made by a schedule; 0 for other tasks. */
  plannedLateMs: number;
}

/** Fills `phases`, one number for each of `latenessPhases`; answers the lateness. Called for every task: allocates nothing. */
export function splitLateness(facts: StartFacts, phases: Float64Array): number {
  const lateMs = Math.max(0, facts.startedAt - facts.readyAt);
  const startMs = Math.min(lateMs, facts.waitedMs);
  const transportMs = Math.min(lateMs - startMs, facts.transportMs);
  const beforeMs = lateMs - startMs - transportMs;
  const dispatchMs = Math.min(beforeMs, Math.max(0, facts.heldMs));
  phases[0] = facts.plannedLateMs;
  phases[1] = beforeMs - dispatchMs;
  phases[2] = dispatchMs;
  phases[3] = transportMs;
  phases[4] = startMs;
  return lateMs;
}

/** Of a histogram: within its bucket a value is taken to lie in proportion, and none beyond the greatest. Null when it is empty. */
export function latenessQuantile(counts: readonly number[], share: number, maxMs: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let before = 0;
  for (const [index, count] of counts.entries()) {
    if (before + count < rank || count === 0) {
      before += count;
      continue;
    }
    const from = latenessBucketsMs[index - 1] ?? 0;
    const to = Math.min(maxMs, latenessBucketsMs[index] ?? maxMs);
    return Math.min(maxMs, from + (Math.max(from, to) - from) * ((rank - before) / count));
  }
  return maxMs;
}
