/** Tasks after others. */
import type { AfterCondition, FailurePolicy, FieldError, Id, WorkflowState } from "@carillon/core";
import type { Lane } from "./lanes.ts";
import type { CreatedAs, NewTask } from "./new-tasks.ts";
import type { TaskRecord } from "./tasks.ts";

export interface NewWorkflow {
  id: Id;
  namespace: string;
  name: string;
  onFailure: FailurePolicy;
}

/** Its figures count the tasks whose ends were told; `open` are the others. */
export interface WorkflowRecord extends NewWorkflow {
  state: WorkflowState;
  /** Its tasks are being ended. */
  stopping: "failure" | "cancel" | null;
  cancelRequestedAt: number | null;
  reason: string | null;
  total: number;
  open: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  skipped: number;
  createdAt: number;
  finishedAt: number | null;
}

/** A task that joins a workflow. */
export interface TaskToAdd {
  /** Without `after`, `when` and `workflow`. */
  task: NewTask;
  key: string;
  /** Keys of tasks that the workflow has, or that are added with it. */
  after: string[];
  when: AfterCondition;
}

export type AddAnswer =
  /** In the order sent. `created: false`: the workflow had a task of this key, whose id is given. */
  | { kind: "done"; workflow: WorkflowRecord; tasks: CreatedAs[] }
  | { kind: "refused"; errors: FieldError[] }
  | { kind: "final"; workflow: WorkflowRecord }
  | { kind: "not_found" };

/** A task as the graph shows it. */
export interface WorkflowTask {
  id: Id;
  key: string;
  /** Null: it is forgotten. */
  task: Pick<
    TaskRecord,
    | "type"
    | "queue"
    | "state"
    | "reason"
    | "dueAt"
    | "startedAt"
    | "finishedAt"
    | "attempt"
    | "failures"
    | "after"
    | "when"
    | "error"
  > | null;
}

/** What became of tasks because others ended. */
export interface SettledDependencies {
  /** They may be claimed. */
  released: { id: Id; lane: Lane; priority: number; dueAt: number }[];
  ended: { id: Id; lane: Lane; state: "cancelled" | "skipped" }[];
  /** Tasks whose holders shall cancel them, and know nothing of it yet. */
  recalled: { id: Id; session: Id; reason: string | null }[];
  /** There is more to do, now or as soon as somebody else has done his part. */
  more: boolean;
}

/** Ends of tasks of which others wait to be told. */
export interface Endings {
  /** Called after a verb of this store that may have noted some. Returns how to stop. */
  subscribe(listener: () => void): () => void;
}
