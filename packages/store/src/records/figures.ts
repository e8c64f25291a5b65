/** What is counted and measured. */
import type { FinalState, Id, Labels, PublicState, ServingPool } from "@carillon/core";
import type { Lane } from "./lanes.ts";

/** How late starts were in one queue: by bucket of core's `latenessBucketsMs`, and in all by each of its `latenessPhases`. */
export interface QueueLateness {
  queue: string;
  counts: number[];
  maxMs: number;
  phasesMs: number[];
}

/** What one process counted in the window that began at `at`. */
export interface LatenessWindow extends QueueLateness {
  namespace: string;
  at: number;
}

/** Those of other namespaces or queues are left out. */
export interface LaneFilter {
  namespace?: string;
  queue?: string;
}

export const isAsked = (lane: Lane, { namespace, queue }: LaneFilter): boolean =>
  (namespace === undefined || lane.namespace === namespace) && (queue === undefined || lane.queue === queue);

export interface CreatedCounts {
  from: number;
  lanes: { lane: Lane; count: number }[];
}

/** What a node alone knows, for sums over all of them. */
export interface NodeFigures {
  /** Connected to it. */
  workers: number;
  /** The same by what they serve; the first of them, where there are very many kinds. */
  pools: ({ namespace: string } & ServingPool)[];
  /** Attempts that started, and tasks that became final, in about the last minute. Queues in which nothing happened are left out. */
  queues: { namespace: string; queue: string; startedPerSecond: number; finishedPerSecond: number }[];
}

/** A worker as its node sees it. */
export interface WorkerFacts {
  name: string;
  namespace: string;
  version: string;
  queues: string[];
  types: string[];
  /** Those that it said; it also has the label `worker`, with its name. */
  labels: Labels;
  slots: number;
  busy: number;
  connectedAt: number;
}

export interface ConnectedWorker extends WorkerFacts {
  /** Of its node. */
  session: Id;
  node: string;
}

export interface Depth {
  lane: Lane;
  state: Exclude<PublicState, FinalState>;
  count: number;
  /** How many of them are due, with the same cap. */
  due: number;
  /** Since when the first of those that are due and that nobody holds waits: its due instant, or its creation when that was later. */
  waitsSince: number | null;
}
