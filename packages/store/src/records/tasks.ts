/** Tasks as people see and change them. */
import type { AfterCondition, Id, Labels, LogLevel, StoredState, TaskError, TaskPolicy } from "@carillon/core";
import type { Attempt, Progress } from "./claims.ts";
import type { Lane } from "./lanes.ts";
import type { Trigger } from "./new-tasks.ts";

/** A whole task, for people. */
export interface TaskRecord {
  id: Id;
  namespace: string;
  type: string;
  queue: string;
  state: StoredState;
  reason: string | null;
  priority: number;
  dueAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  attempt: number;
  failures: number;
  lost: number;
  payload: string | null;
  result: string | null;
  error: TaskError | null;
  /** What the latest attempt said last. */
  progress: Progress | null;
  policy: TaskPolicy;
  trigger: Trigger;
  scheduleId: Id | null;
  scheduleName: string | null;
  fireAt: number | null;
  uniqueKey: string | null;
  concurrencyKey: string | null;
  fairKey: string | null;
  tags: string[];
  replayOf: Id | null;
  /** Empty: it needs no labels. */
  requires: Labels;
  after: Id[];
  /** Null exactly when it comes after none. */
  when: AfterCondition | null;
  workflow: { id: Id; key: string } | null;
  worker: string | null;
  cancelRequestedAt: number | null;
  attempts: Attempt[];
}

export interface TaskFilter {
  states?: readonly StoredState[];
  /** Narrow `pending`, `waiting`, `claimed` to what people call scheduled, queued, retrying. Needs `now`. */
  waiting?: readonly ("scheduled" | "queued" | "retrying")[];
  types?: readonly string[];
  queues?: readonly string[];
  schedule?: string;
  workflow?: Id;
  tag?: string;
  /** Part of the type or of the payload's or error's text, or a task id. */
  text?: string;
  /** By creation: `from <= createdAt < to`. */
  from?: number;
  to?: number;
}

export interface Page<T> {
  items: T[];
  /** Where the next page begins; null on the last. Callers wrap it into an opaque token. */
  next: string | null;
}

export interface TaskPatch {
  priority?: number;
  dueAt?: number;
  payload?: string | null;
  queue?: string;
}

export interface DeadlineLook {
  failed: { id: Id; lane: Lane }[];
  /** Of those, the ones that may be claimed, with their new priority. */
  raised: { lane: Lane; priority: number; dueAt: number }[];
  /** There may be others. */
  more: boolean;
}

/** Answers of verbs on one task. `task` is the state after the verb. */
export type VerbAnswer =
  | { kind: "done"; task: TaskRecord }
  /** Held by the node of this session, which was asked (`recall`) and will answer by its own write. */
  | { kind: "recalled"; task: TaskRecord; session: Id }
  | { kind: "running"; task: TaskRecord }
  | { kind: "final"; task: TaskRecord }
  | { kind: "not_found" };

export interface LogLine {
  at: number;
  level: LogLevel;
  message: string;
  attempt: number;
}

export interface FoundLogLine extends LogLine {
  /** Of its task. */
  id: Id;
}
