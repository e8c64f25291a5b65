/** What a create says, and what it is answered. */
import type { AfterCondition, Id, Labels, TaskPolicy } from "@carillon/core";
import type { ClaimedTask } from "./claims.ts";

export type Trigger = "api" | "sql" | "schedule" | "backfill" | "manual" | "workflow";

export interface NewTask {
  id: Id;
  namespace: string;
  type: string;
  queue: string;
  priority: number;
  dueAt: number;
  policy: TaskPolicy;
  /** JSON text; null for no payload. */
  payload: string | null;
  trigger: Trigger;
  scheduleId: Id | null;
  fireAt: number | null;
  uniqueKey: string | null;
  /** So long after its creation its key is taken, also once it is final; left out: only until then. */
  uniqueForMs?: number;
  tags: string[];
  replayOf: Id | null;
  /** Labels that its worker has to have. Absent: it needs none. */
  requires?: Labels;
  /** It waits there from its creation on; left out: at none. */
  gateId?: Id | null;
  /** What the limits of its queue by key count it under; left out: none. */
  concurrencyKey?: string | null;
  /** Tasks of one key share the slots with those of another; left out: none. Its part is in the lane. */
  fairKey?: string | null;
  /** Tasks of its namespace, each once, whose ends it waits for (`when`); left out: none. It has no gate then, and nobody claims it at once. */
  after?: Id[];
  when?: AfterCondition;
  /** Left out: it belongs to none. `always`: no failure elsewhere in it keeps this one from running. */
  workflow?: { id: Id; key: string; always: boolean };
}

/** What a create may carry beside its tasks. */
export interface CreateOptions {
  now: number;
  /** Insert the first `count` of `tasks` as already claimed by this session: one commit instead of two. Only tasks without keys. */
  claim?: { session: Id; count: number } | null;
  /**
   * What becomes of a task whose `uniqueKey` is taken: one answer for all, or one for each. Default `keep`. By a task that is not final; for
   * one with `uniqueForMs` also by one that was created with such a window, which is not over, as long as that one is remembered.
   */
  uniquePolicy?: UniquePolicy | ((task: NewTask) => UniquePolicy);
  idempotency?: {
    namespace: string;
    key: string;
    requestHash: string;
    /** What to remember as the answer; it depends on which tasks a unique key found. Kept in the transaction of the tasks. */
    response: (tasks: { id: Id; created: boolean }[]) => string;
    expiresAt: number;
  } | null;
}

/** `keep`: the holder is the answer; `replace`: it takes the new payload, due instant and priority, while nobody holds it. */
export type UniquePolicy = "keep" | "replace" | "reject";

export function uniquePolicyOf({ uniquePolicy = "keep" }: CreateOptions, task: NewTask): UniquePolicy {
  return typeof uniquePolicy === "function" ? uniquePolicy(task) : uniquePolicy;
}

export type CreateAnswer =
  /** In the order sent. `created: false` means that a task with the same unique key was there; its id is given. */
  | { kind: "created"; tasks: CreatedAs[]; claimed: ClaimedTask[] }
  /** The idempotency key was used before: by the same request (`response` is its answer) or by another one. */
  | { kind: "replayed"; response: string }
  | { kind: "key_reused" }
  /** `reject` met this task, or `replace` met one of another type. */
  | { kind: "unique_conflict"; id: Id; uniqueKey: string; sameType: boolean }
  /** Of `after`: their namespace has no such tasks. Nothing was created. */
  | { kind: "unknown_parents"; parents: Id[] };

export interface CreatedAs {
  id: Id;
  created: boolean;
  /** Of one that comes after others, when it is not pending: they have yet to end, or have ended so that it cannot run. */
  state?: "blocked" | "skipped";
}
