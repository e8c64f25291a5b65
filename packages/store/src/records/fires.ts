/** The ledger: what becomes of each fire, and the gates at which tasks of a schedule wait for each other. */
import type { Id, StoredState } from "@carillon/core";
import type { Lane } from "./lanes.ts";
import type { NewTask } from "./new-tasks.ts";

export interface PlannedFire {
  fireAt: number;
  outcome: "task" | "skipped" | "missed";
  reason: string | null;
  caughtUp: boolean;
  /** Exactly for `outcome: "task"`. */
  task: NewTask | null;
}

export interface SchedulePlan {
  fires: PlannedFire[];
  plannedUntil: number;
  nextFireAt: number | null;
  /** What it was made with; left out: it does not depend on time zone data. */
  zoneData?: string | null;
  /** From then on the schedule waits for an end: its gate is to be judged. Left out, or null: it waits for none. */
  lookAt?: number | null;
}

export interface Fire {
  fireAt: number;
  outcome: "task" | "skipped" | "missed" | "withdrawn";
  reason: string | null;
  task: { id: Id; state: StoredState; dueAt: number; startedAt: number | null; failures: number } | null;
  caughtUp: boolean;
  backfilled: boolean;
  version: number;
}

/** A fire with what figures about its schedule need of its task. */
export interface FireFacts {
  fireAt: number;
  outcome: Fire["outcome"];
  /** Null also when it is forgotten. */
  task: (NonNullable<Fire["task"]> & { finishedAt: number | null }) | null;
}

/**
 * What decides whether a task may run now. Its id is that of the schedule whose tasks it keeps from overlapping. There is one while
 * something waits there: tasks, or a schedule that goes on when its tasks have ended.
 */
export interface Gate {
  id: Id;
  /** When it is to be judged next. Anything may bring it forward. */
  lookAt: number;
}

export interface JudgedGates {
  /** Those that were judged; `lookAt` is null when nothing waits there any more. */
  gates: { id: Id; lookAt: number | null }[];
  /** Tasks that may be claimed now. */
  released: { lane: Lane; priority: number; dueAt: number }[];
  /** Tasks whose holders shall cancel them, and know nothing of it yet. */
  recalled: { id: Id; session: Id; reason: string }[];
  /** Tasks that nobody held. */
  cancelled: { id: Id; namespace: string }[];
  /** Schedules whose tasks have failed so often in a row that they were paused. */
  paused: { name: string; namespace: string; reason: string }[];
  /** The end that some schedule waited for has come, or one was paused: planners look again. */
  replan: boolean;
}
