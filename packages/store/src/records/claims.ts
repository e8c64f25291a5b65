/** What a node holds: claimed tasks, how attempts end, how far they are. */
import type { Id, OutcomeDecision, TaskError, TaskPolicy } from "@carillon/core";
import type { Band, Lane } from "./lanes.ts";

/** A task in a node's hands: enough to run it and to decide its outcome. */
export interface ClaimedTask {
  id: Id;
  token: bigint;
  lane: Lane;
  policy: TaskPolicy;
  priority: number;
  dueAt: number;
  /** Starts so far, this one included. */
  attempt: number;
  /** Attempts of the present budget that ended in an error. */
  failures: number;
  /** Workers that died with it. */
  lost: number;
  payload: string | null;
  scheduleId: Id | null;
  /** For the handler; a schedule's name never changes, so stores may remember it. */
  scheduleName?: string | null;
  fireAt: number | null;
  finishBy: number | null;
  /**
   * Of one that comes after others, the results of those that succeeded, as the JSON text of an object: by key in a workflow, else by id.
   * In the order of `after`, up to `limits.parentsBytes`; what does not fit is left out.
   */
  parents?: string;
  /** Of one that belongs to a workflow. */
  workflow?: { id: Id; key: string };
  /** Set when the task ran already, on adoption. */
  startedAt: number | null;
  /** Known of those that `claimLimited` took. */
  concurrencyKey?: string | null;
}

export interface TaskRef {
  id: Id;
  token: bigint;
}

export interface ClaimTarget {
  laneId: number;
  band: Band;
  limit: number;
  /** Nothing that is due earlier is looked for: where the caller knows of nothing, and dead rows may lie. Left out: from the beginning. */
  from?: number;
}

/** One way an attempt ended, to be written if and only if `(id, token)` still holds the task. */
export interface Outcome extends TaskRef {
  /**
   * When given, this session must hold the task too: for what a node decides about a worker that is gone, because that worker may have
   * taken the task to another node, under the same token. Left out for what a worker reported.
   */
  session?: Id;
  decision: OutcomeDecision;
  /** Null for an attempt that never started: it then leaves no trace in `attempts` and costs no attempt number. */
  startedAt: number | null;
  finishedAt: number;
  worker: string | null;
  /** Its process died with the task: counts towards quarantine. */
  lost: boolean;
}

export interface Attempt {
  number: number;
  worker: string | null;
  node: string | null;
  dueAt: number;
  startedAt: number | null;
  finishedAt: number;
  outcome: "succeeded" | "failed" | "lost" | "cancelled" | "snoozed";
  error: TaskError | null;
}

/** How far an attempt has come. */
export interface Progress {
  /** 0 … 1. */
  fraction: number;
  message: string | null;
}
