/**
 * Counts ended attempts since this process began: by queue, type and outcome for `/metrics`, and by queue for rates. Called once per task,
 * like `lateness-book.ts`, and bounded like it: types are named by users too. Beyond `MAX_SERIES` pairs of queue and type the rest is
 * counted together, under a name that neither can have.
 */
import { isFinal, type StoredState } from "@carillon/core";
import type { Lane } from "@carillon/store";
import { MAX_QUEUES, OTHER_QUEUES } from "./lateness-book.ts";

export const MAX_SERIES = 1_000;
export const OTHER = OTHER_QUEUES;
/** Several lanes lead to one series; more than this are looked up anew. */
const MAX_LANES = 10_000;
export const durationBuckets = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 3_600];

interface EndedSeries {
  queue: string;
  type: string;
  outcomes: Map<string, number>;
  /** By bucket of `durationBuckets`. */
  durations: number[];
  sumSeconds: number;
}

interface FinishedCount {
  namespace: string;
  queue: string;
  count: number;
}

export interface EndedBook {
  /** `outcome` is a final state or `retried`, `snoozed`, `lost`. */
  ended(lane: Lane, outcome: string, seconds: number | null): void;
  series(): Iterable<EndedSeries>;
  /** How many attempts ended with a final state. */
  finished(): Iterable<FinishedCount>;
  /** The same of one queue, 0 for one that is counted with the others; null: of all of them. */
  finishedIn(namespace: string, queue: string | null): number;
}

export function createEndedBook(): EndedBook {
  const series = new Map<string, EndedSeries>();
  const finished = new Map<string, FinishedCount>();
  const byLane = new Map<number, { series: EndedSeries; finished: FinishedCount }>();

  function seriesOf(queue: string, type: string): EndedSeries {
    const key = `${queue} ${type}`;
    const known = series.get(key);
    if (known) return known;
    if (series.size >= MAX_SERIES && queue !== OTHER) return seriesOf(OTHER, OTHER);
    const durations = Array<number>(durationBuckets.length + 1).fill(0);
    const made = { queue, type, outcomes: new Map<string, number>(), durations, sumSeconds: 0 };
    series.set(key, made);
    return made;
  }

  function finishedOf(namespace: string, queue: string): FinishedCount {
    const key = `${namespace} ${queue}`;
    const known = finished.get(key);
    if (known) return known;
    if (finished.size >= MAX_QUEUES && queue !== OTHER) return finishedOf(namespace, OTHER);
    const made = { namespace, queue, count: 0 };
    finished.set(key, made);
    return made;
  }

  function find({ id, namespace, queue, type }: Lane) {
    const found = { series: seriesOf(queue, type), finished: finishedOf(namespace, queue) };
    if (byLane.size >= MAX_LANES) byLane.clear();
    byLane.set(id, found);
    return found;
  }

  return {
    ended(lane, outcome, seconds) {
      const { series, finished } = byLane.get(lane.id) ?? find(lane);
      series.outcomes.set(outcome, (series.outcomes.get(outcome) ?? 0) + 1);
      if (isFinal(outcome as StoredState)) finished.count++;
      if (seconds === null) return;
      let bucket = 0;
      while (bucket < durationBuckets.length && seconds > durationBuckets[bucket]!) bucket++;
      series.durations[bucket]!++;
      series.sumSeconds += seconds;
    },
    series: () => series.values(),
    finished: () => finished.values(),
    finishedIn(namespace, queue) {
      if (queue !== null) return finished.get(`${namespace} ${queue}`)?.count ?? 0;
      let sum = 0;
      for (const entry of finished.values()) if (entry.namespace === namespace) sum += entry.count;
      return sum;
    },
  };
}
