/**
 * What the rest of Carillon asks of its memory. Two implementations: `postgres` (the product) and `memory` (simulation and tests), which
 * a model-based suite holds equivalent.
 *
 * Every verb is one statement or one transaction. `now` always comes from the caller (epoch milliseconds of a clock that follows the
 * database's); nothing here reads a clock to decide. JSON values pass through as text. Whatever belongs to a tenant takes its namespace.
 */
import {
  type AfterCondition,
  type AttemptReport,
  type BreakerRule,
  type FailurePolicy,
  type FairTurns,
  type FairWeights,
  type FieldError,
  type FinalState,
  type FireAhead,
  type FireShift,
  fairPart,
  type Id,
  type Labels,
  type LogFilter,
  type LogLevel,
  labelsText,
  type NamedCalendar,
  type OutcomeDecision,
  type PreviousFire,
  type PublicState,
  type RateLimit,
  type ServingPool,
  type StoredState,
  type TargetState,
  type TaskError,
  type TaskPolicy,
  type WorkflowState,
} from "@carillon/core";

// ---------------------------------------------------------------------------------------------------------------------- tasks

/** What a worker must serve to be given a task. Interned: `id` is the same on every node, and the object may be compared by it. */
export interface Lane {
  id: number;
  namespace: string;
  queue: string;
  type: string;
  /** Labels that the worker has to have; absent: it needs none. */
  requires?: Labels;
  /** The part of its tasks' fair keys (`fairPart`); absent: they have none. */
  fair?: number;
}

export interface LaneName {
  namespace: string;
  queue: string;
  type: string;
  requires?: Labels | undefined;
  fair?: number | undefined;
  /** Where the part is not given: whose it is. */
  fairKey?: string | null | undefined;
}

/** The same text for the same lane. No name holds a NUL. */
export function laneKey({ namespace, queue, type, requires, fair, fairKey }: LaneName): string {
  const part = fair ?? fairPart(fairKey);
  return `${namespace}\0${queue}\0${type}\0${labelsText(requires)}${part === 0 ? "" : `\0${part}`}`;
}

/** Priorities 1–3, 4–6, 7–9. */
export type Band = 1 | 2 | 3;
export const bandOf = (priority: number): Band => Math.ceil(priority / 3) as Band;

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

// ------------------------------------------------------------------------------------------------------------------- sessions

export interface Session {
  id: Id;
  node: string;
  url: string | null;
  beat: bigint;
  deadAt: number | null;
  /** See `openSession`. */
  starting: boolean;
  /** Of the time zone data that it plans with; null: it plans nothing. */
  zoneData: string | null;
}

export interface OpenedSession {
  id: Id;
  /** For this node's ids; unique among live sessions. */
  slot: number;
  /** When any node was last seen alive before, those that were still starting left out; null: never. */
  lastSeenAt: number | null;
}

/** A task of this session that its holder shall cancel, or give back if it has not started. */
export interface Recall extends TaskRef {
  what: "cancel" | "return";
  reason: string | null;
}

// ------------------------------------------------------------------------------------------------------------------ schedules

/** JSON, stored as it is; `rule`, `catchUp` are core's, `task` is the template of what each fire creates. */
export interface ScheduleDefinition {
  rule: import("@carillon/core").ScheduleRule;
  catchUp: { policy: "skip" | "last" | "all"; windowMs: number; limit: number };
  overlap: import("@carillon/core").OverlapPolicy;
  /** It is paused when so many of its tasks in a row have failed; absent: never. */
  pauseAfterFailures?: number;
  /** Names of calendars whose hours have no fires; absent when there are none. */
  excludes?: string[];
  /** Of calendars outside whose hours, those of all together, there are no fires; absent when there are none. */
  includes?: string[];
  task: {
    type: string;
    /** JSON text. */
    payload: string | null;
    queue: string | null;
    priority: number;
    retry: import("@carillon/core").RetryPolicy | null;
    timeoutMs: number | null;
    /** Absent when there is none. */
    startWithinMs?: number;
    finishWithinMs?: number;
    concurrencyKey?: string;
    fairKey?: string;
    tags: string[];
    /** Absent when there are none. */
    requires?: Labels;
  };
}

export interface ScheduleRecord {
  id: Id;
  namespace: string;
  name: string;
  version: number;
  definition: ScheduleDefinition;
  paused: boolean;
  /** `until`: it ends by itself then; `by`: who paused it, where that is known. */
  pause: { reason: string | null; at: number; until: number | null; by: string | null } | null;
  plannedUntil: number;
  /** Fires that became tasks so far, for `maxFires`. */
  fires: number;
  nextFireAt: number | null;
  createdAt: number;
  updatedAt: number;
}

/** As its planner is given it: definition, version, pause and calendars are those in force at its mark. */
export interface ScheduleToPlan extends ScheduleRecord {
  /** Those that it excludes, in its order, then those that it includes. */
  calendars: NamedCalendar[];
  /** When the pause of that time ends by itself; null: there is none, or it does not. */
  pausedUntil: number | null;
  /** They were until then, and the plan ends there; null: they still are. */
  until: number | null;
  /** For a rule with `maxFires`: the fires after the mark that have become tasks, in order; they are among `fires`. Otherwise empty. */
  tasksAhead: number[];
  /** Which time zone data its plan ahead was made with; null: none is, or it does not depend on any. */
  zoneData: string | null;
  /** For a rule with a fixed delay: its latest fire that was not withdrawn; null: it has none. */
  previous?: PreviousFire | null;
}

/** A schedule whose plan ahead was made with other time zone data, with its fires after now. */
export interface ScheduleToShift extends ScheduleRecord {
  calendars: NamedCalendar[];
  zoneData: string;
  ahead: FireAhead[];
}

/** What new time zone data did to a schedule: which of its coming fires are no more, which are new, and what comes next. */
export interface ZoneChange {
  at: number;
  namespace: string;
  schedule: string;
  from: string;
  to: string;
  removed: number[];
  added: number[];
  nextFireAt: { before: number | null; after: number | null };
}

export type AdoptionAnswer =
  /** So many schedules of other data were looked at; these are different now. */
  | { kind: "adopted"; schedules: number; changes: ZoneChange[] }
  /** A living node plans with newer data: planning by the wall clock is its part. */
  | { kind: "older"; newest: string };

/** What decides when a schedule fires. */
export type ScheduleTiming = Pick<ScheduleRecord, "id" | "name" | "paused" | "plannedUntil" | "fires"> & {
  rule: ScheduleDefinition["rule"];
  /** When its pause ends by itself. */
  pausedUntil: number | null;
  /** Those that it excludes or includes. */
  calendars: NamedCalendar[];
};

/** As a list shows it. */
export interface ScheduleSummary extends ScheduleRecord {
  /** Those that it excludes, in its order, then those that it includes. */
  calendars: NamedCalendar[];
  /** The latest fire until now that became a task, and that task while it is remembered. */
  lastFireAt: number | null;
  lastTask: { id: Id; state: StoredState; dueAt: number; failures: number } | null;
}

export interface CalendarRecord extends NamedCalendar {
  namespace: string;
  version: number;
  createdAt: number;
  updatedAt: number;
}

export interface CalendarAnswer {
  kind: "created" | "changed" | "unchanged";
  calendar: CalendarRecord;
  /** Those that name it, which have been changed with it. */
  schedules: ScheduleRecord[];
}

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

// -------------------------------------------------------------------------------------------------------------------- targets

/** Something that tasks call (for `http` the host and port of the URL), which had trouble. */
export interface TargetRecord {
  /** Also of the gate at which tasks wait for it. */
  id: Id;
  namespace: string;
  name: string;
  state: TargetState;
  /** In this state. */
  since: number;
  /** When an open one may be tried, and a half-open one tried again; null when closed. */
  until: number | null;
  /** How often it opened without closing in between. */
  trips: number;
  /** What its last failure was. */
  reason: string | null;
}

export interface TargetSummary extends TargetRecord {
  /** How many tasks wait for it, counted up to a cap. */
  waiting: number;
}

export type TargetChange = Omit<TargetRecord, "since">;

/** A held task that has not started and shall wait for its target. `id` is the target's if it is new. */
export interface ParkedTask extends TaskRef {
  target: Pick<TargetRecord, "id" | "namespace" | "name">;
  reason: string;
}

export interface ReleasedTask {
  lane: Lane;
  priority: number;
  dueAt: number;
}

// --------------------------------------------------------------------------------------------------------------------- queues

/** What a queue allows. Absent: no limit. */
export interface QueueSettings {
  /** Tasks that run at once. */
  concurrency?: number;
  /** Tasks of one `concurrencyKey` that run at once; 1: the key is a mutex. */
  concurrencyPerKey?: number;
  /** Tasks of each of these types that run at once. */
  concurrencyPerType?: Record<string, number>;
  /** Starts. */
  rateLimit?: RateLimit;
  /** Starts of one `concurrencyKey`. */
  rateLimitPerKey?: RateLimit;
  /** Tasks that are not final. Nothing in the store goes by it. */
  maxBacklog?: number;
  /** Of fair keys; those that are not named weigh 1. In a queue without limits nothing in the store goes by it. */
  fairWeights?: FairWeights;
  /** Tasks of a `concurrencyKey` wait while those before them fail; those without one are together. The store only keeps them from `claim`. */
  breaker?: QueueBreaker;
}

export interface QueueBreaker extends BreakerRule {
  /** How many tasks of a key run at once follows how fast and how well they end. */
  adaptive: boolean;
}

export interface QueueRecord {
  namespace: string;
  name: string;
  version: number;
  settings: QueueSettings;
  paused: boolean;
  pause: { reason: string | null; at: number; by: string | null } | null;
  createdAt: number;
  updatedAt: number;
}

/**
 * How the tasks of a queue are claimed. `free`: by `claim`. `limited`: by `claimLimited` alone; a queue whose limits were taken away stays
 * so until nothing waits for a key any more. `paused`: by neither.
 */
export type QueueMode = "free" | "limited" | "paused";

export interface LimitedAnswer {
  /** How the queue is to be claimed from now on. */
  mode: QueueMode;
  /** In the order in which they are due, with their keys. */
  claimed: ClaimedTask[];
  /** Somebody else is claiming there, or changing the queue: ask again in a moment. */
  busy: boolean;
  /** One call looks at so many tasks; there may be more that could start now. */
  more: boolean;
  /** All slots of the queue are taken. */
  full: boolean;
  /** The queue has no token, and gets the next one then. */
  tokenAt: number | null;
  /** The first key for which tasks of these lanes wait is to be looked at again then; null: when a slot of one is free. */
  keysAt: number | null;
  /** The last key that a sweep came to; null: there is none after it. */
  sweptTo: string | null;
  /** The earliest due instant by lane and band of what is still pending. */
  nextDue: { laneId: number; band: Band; dueAt: number }[];
  /** Whose turn it is next, for the next call; null: nothing here had a fair key. */
  turns: FairTurns | null;
}

/** What the limits of a queue, and of one of its keys, are taken up by. */
export interface LimitFacts {
  /** The tasks that hold a slot; the first of them by id. */
  held: Id[];
  /** When the queue's next token comes; null: there is one, or no rate limit. */
  tokenAt: number | null;
  /** The same for the key; empty and null without one. */
  keyHeld: Id[];
  keyTokenAt: number | null;
  /** Of the type. */
  typeHeld: Id[];
}

// ----------------------------------------------------------------------------------------------------------------- operations

/** What goes on in the background for somebody. `kind` says what `request` (JSON text) and `cursor` mean. */
export interface OperationRecord {
  id: Id;
  namespace: string;
  kind: "backfill" | "bulk";
  state: "running" | "done" | "cancelled";
  scheduleId: Id | null;
  scheduleName: string | null;
  request: string;
  cursor: string | null;
  /** How many things it is about, and what became of those that it has come to. */
  matched: number;
  done: number;
  skipped: number;
  failed: number;
  /** When its next page is due. */
  nextAt: number;
  createdAt: number;
  finishedAt: number | null;
}

export type NewOperation = Pick<OperationRecord, "id" | "namespace" | "kind" | "scheduleId" | "request" | "matched">;

/** What became of a page of an operation that had come to `from`. */
export interface OperationPage {
  from: string | null;
  cursor: string | null;
  done: number;
  skipped: number;
  failed: number;
  finished: boolean;
}

/** The next page of a backfill. */
export interface BackfillPage {
  fires: { fireAt: number; version: number; task: NewTask }[];
  cursor: string | null;
  finished: boolean;
  nextAt: number;
}

export interface TypeDeclaration {
  type: string;
  queue: string | null;
  policy: { retry: TaskPolicy["retry"] | null; timeoutMs: number | null };
}

// ------------------------------------------------------------------------------------------------------------------ workflows

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

// ------------------------------------------------------------------------------------------------------------------- lateness

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

// ---------------------------------------------------------------------------------------------------------------------- hints

/** What nodes tell each other so that nobody has to wait for a poll. Losing one costs time, never correctness. */
export interface Hint {
  /** The earliest new due instant by lane and band. */
  due?: { laneId: number; band: Band; dueAt: number }[];
  /** Sessions that hold a task with a new recall. */
  recall?: Id[];
  /** For people's screens: what changed. `more` when there was more than fits. */
  changed?: { tasks: Id[]; schedules: string[]; queues?: string[]; more: boolean };
  /** A type was declared anew, or a schedule changed: planners and caches look again. */
  types?: boolean;
  schedules?: boolean;
  /** A target's breaker has opened or closed. */
  targets?: boolean;
  /** A queue was set anew, or paused, or resumed. */
  queues?: boolean;
  /** In the limited queues of these lanes there is room that the sender cannot use. */
  room?: number[];
}

export interface Hints {
  /** Sends soon, merged with others of the next few milliseconds. Never throws. */
  publish(hint: Hint): void;
  /** Hints of other nodes. Returns how to stop. */
  subscribe(listener: (hint: Hint) => void): () => void;
}

// ---------------------------------------------------------------------------------------------------------------------- store

export interface Store {
  readonly hints: Hints;
  readonly endings: Endings;

  /** The database's clock, in epoch milliseconds; the one place where it is read. */
  databaseTime(): Promise<number>;

  // Sessions
  /**
   * `starting`: it has yet to find out whether there was a downtime before it. Until `sessionStarted` its signs of life count for nobody
   * who asks when a node was last alive, so that a node which dies at its start, or another that starts beside it, hides no downtime.
   */
  openSession(session: {
    node: string;
    url: string | null;
    now: number;
    starting?: boolean;
    /** Of a node that plans: the version of its time zone data. */
    zoneData?: string | null;
  }): Promise<OpenedSession>;
  sessionStarted(id: Id): Promise<void>;
  /** Grows the beat. `alive: false`: somebody marked it dead, and its leases are being taken. */
  renewSession(id: Id, now: number): Promise<{ alive: boolean; recalls: Recall[] }>;
  /** Sessions that are neither closed nor taken back: live ones, and dead ones that still hold leases. */
  sessions(): Promise<Session[]>;
  /** Only if its beat is still the observed one. */
  markSessionDead(id: Id, beat: bigint, now: number): Promise<boolean>;
  /** The node gave everything back and leaves. */
  closeSession(id: Id, now: number): Promise<void>;
  /**
   * Returns leases of a dead session to `pending`, in id order: those that had started keep their attempt and note it as lost to the
   * node (no loss counted, due at once), the others keep their instant and lose nothing. 0 when nothing is left.
   */
  takeBack(session: Id, options: { now: number; limit: number }): Promise<number>;
  /** Notes that no node was alive between these instants, and withdraws what was planned for then and never claimed: the planner decides anew. */
  recordDowntime(downtime: { from: number; until: number }): Promise<void>;
  downtimes(since: number): Promise<{ from: number; until: number }[]>;

  // The hot path
  /** With an idempotency key and no tasks it only remembers the key. */
  createTasks(tasks: NewTask[], options: CreateOptions): Promise<CreateAnswer>;
  /** What is kept under an idempotency key, if it has not expired. */
  rememberedAnswer(
    namespace: string,
    key: string,
    now: number,
  ): Promise<{ requestHash: string; response: string } | null>;
  /** All lanes of all namespaces known so far. */
  lanes(): Promise<Lane[]>;
  /** The earliest due instant of pending tasks by lane and band, for these lanes. */
  nextDue(laneIds: number[]): Promise<{ laneId: number; band: Band; dueAt: number }[]>;
  /**
   * Pending tasks of these lanes and bands that are due until `until`; earliest first within a target. None of lanes whose queue is limited
   * or paused.
   */
  claim(request: {
    session: Id;
    targets: ClaimTarget[];
    until: number;
    limit: number;
    now: number;
  }): Promise<ClaimedTask[]>;
  /** Not started: `pending` again at its instant, without having cost an attempt. Answers the ids that were still held by this session. */
  giveBack(session: Id, tasks: TaskRef[]): Promise<Id[]>;
  /** `running` for people, once a task has outlived about a second. */
  markRunning(tasks: (TaskRef & { startedAt: number; worker: string })[]): Promise<void>;
  /**
   * In the order sent: true if it was recorded, false if the lease was lost (somebody else decides). A final one that is sent again
   * because its answer was lost, at most two days later, is true again.
   */
  recordOutcomes(outcomes: Outcome[]): Promise<boolean[]>;
  /** A worker came from another node with its running tasks: their leases move here, token and attempt stay. Answers those that moved. */
  adopt(session: Id, namespace: string, tasks: TaskRef[]): Promise<ClaimedTask[]>;
  /** What this session holds by the store's account, to be compared with the node's memory. */
  leases(session: Id): Promise<TaskRef[]>;
  appendLogs(lines: (TaskRef & LogLine)[]): Promise<void>;
  /** In place of what was said before, by whoever holds the task or was the last to do so; the others are passed over. */
  recordProgress(reports: (TaskRef & Progress)[], now: number): Promise<void>;
  /** Tasks that are pending or wait at a gate, have never started, and whose `startWithin` is over are `skipped`; the first ones, `limit` at most. */
  skipUnstarted(request: { now: number; limit: number }): Promise<{ id: Id; lane: Lane }[]>;
  /**
   * Of the tasks that nobody holds and whose `finishWithin` is partly over, those that are to be looked at, `limit` at most: the ones whose
   * time is over fail, the others become as urgent as what is left of it makes them.
   */
  watchDeadlines(request: { now: number; limit: number }): Promise<DeadlineLook>;

  // Tasks, for people
  getTask(namespace: string, id: Id): Promise<TaskRecord | null>;
  /** Newest created first, final ones included. Records come without payload and result. */
  listTasks(
    namespace: string,
    query: { filter: TaskFilter; now: number; pageSize: number; after: string | null },
  ): Promise<Page<TaskRecord>>;
  /** How many match, counted up to `cap`. */
  countTasks(namespace: string, query: { filter: TaskFilter; now: number; cap: number }): Promise<number>;
  /** Oldest first. */
  taskLogs(
    namespace: string,
    id: Id,
    query: { pageSize: number; after: string | null; filter?: LogFilter },
  ): Promise<Page<LogLine>>;
  /** Lines of these tasks, which the caller knows to be of one namespace, in their order; of each the first `most`, oldest first. */
  searchLogs(ids: readonly Id[], query: { filter: LogFilter; most: number }): Promise<FoundLogLine[]>;
  /** Waiting: cancelled at once. Held: recalled, and its holder decides. */
  cancelTask(namespace: string, id: Id, request: { reason: string | null; now: number }): Promise<VerbAnswer>;
  /** Only while nobody holds it; `recalled` means: try again in a moment. */
  patchTask(namespace: string, id: Id, patch: TaskPatch, now: number): Promise<VerbAnswer>;
  /** A final one is pending again, due now, with a fresh budget. `running` for one that is not final. */
  retryTask(namespace: string, id: Id, now: number): Promise<VerbAnswer>;
  runTaskNow(namespace: string, id: Id, now: number): Promise<VerbAnswer>;
  /** Forgets a final one. */
  deleteTask(namespace: string, id: Id): Promise<VerbAnswer>;

  // Tasks after others
  /**
   * Tells ends that were noted: children whose condition has become true are pending, due now or later; those whose condition cannot
   * become true any more are skipped. Counts the ends of workflows, and ends what has not started of those that stop. A page of it, in one
   * transaction; what somebody else is at is left to him.
   */
  settleDependencies(request: { now: number; limit: number }): Promise<SettledDependencies>;
  /** Of a blocked task: for which it waits, the first ones, and how many these are. */
  waitsFor(namespace: string, id: Id, limit: number): Promise<{ tasks: Id[]; count: number }>;
  /** All of it or, when there is one of this id, nothing. Its tasks come after others of it only, and have no keys. */
  createWorkflow(workflow: NewWorkflow, tasks: NewTask[], now: number): Promise<WorkflowRecord>;
  getWorkflow(namespace: string, id: Id): Promise<WorkflowRecord | null>;
  /**
   * Tasks join a workflow that runs: all of them, but for those whose keys it has. Of `parent` what comes after it in the workflow, and has yet
   * to be told of its end, then comes after them too. `final`: it has ended, or is being cancelled.
   */
  addToWorkflow(
    namespace: string,
    id: Id,
    request: { tasks: TaskToAdd[]; parent: string | null; now: number },
  ): Promise<AddAnswer>;
  /** In the order in which it was submitted. */
  workflowTasks(namespace: string, id: Id): Promise<WorkflowTask[]>;
  /** Newest first. */
  listWorkflows(namespace: string, query: { pageSize: number; after: string | null }): Promise<Page<WorkflowRecord>>;
  /** `settleDependencies` then ends its tasks. */
  cancelWorkflow(
    namespace: string,
    id: Id,
    request: { reason: string | null; now: number },
  ): Promise<{ kind: "done" | "final"; workflow: WorkflowRecord } | { kind: "not_found" }>;
  /** Core's `retriedNodes` run again, with fresh budgets. `stopping`: not before its tasks have been ended. */
  retryWorkflow(
    namespace: string,
    id: Id,
    request: { from: string[] | null; now: number },
  ): Promise<
    | { kind: "done"; workflow: WorkflowRecord; retried: { id: Id; lane: Lane; priority: number; blocked: boolean }[] }
    | { kind: "stopping"; workflow: WorkflowRecord }
    | { kind: "unknown_key"; key: string }
    | { kind: "not_found" }
  >;

  // Types
  declareTypes(namespace: string, types: TypeDeclaration[], now: number): Promise<void>;
  types(namespace: string): Promise<(TypeDeclaration & { declaredAt: number })[]>;

  // Schedules
  /**
   * A change binds from `now` on: it withdraws what is planned for later and not claimed, and what was due until then and is still to be
   * planned will be planned as it would have been without it. `unavailable`: too many changes wait for that.
   */
  putSchedule(schedule: {
    id: Id;
    namespace: string;
    name: string;
    definition: ScheduleDefinition;
    /** Left out: stays as it is, false for a new one. */
    paused?: boolean;
    now: number;
    /** `create`: only if there is none; a number: only if this is its version. */
    expect?: "create" | number;
    nextFireAt: number | null;
  }): Promise<
    | { kind: "created" | "changed" | "unchanged"; schedule: ScheduleRecord }
    /** `deleted`: the schedule of this id was created before, and has been deleted since. */
    | { kind: "exists" | "version_mismatch" | "deleted" }
    /** It names one that there is not. */
    | { kind: "unknown_calendar"; name: string }
  >;
  /** `now` tells the last fire from those planned ahead. */
  getSchedule(namespace: string, name: string, now: number): Promise<ScheduleSummary | null>;
  /** By name. `text` is a part of the name or of the task type. */
  listSchedules(
    namespace: string,
    query: { now: number; pageSize: number; after: string | null; text?: string },
  ): Promise<Page<ScheduleSummary>>;
  /** When each fires, by name, after this one: to walk through all of them in steps. */
  scheduleTimings(namespace: string, query: { after: string | null; limit: number }): Promise<ScheduleTiming[]>;
  /** Withdraws what is planned and not claimed. False: there is none. */
  deleteSchedule(namespace: string, name: string, now: number): Promise<boolean>;
  /**
   * Pausing withdraws what is planned and not claimed; its fires are `skipped`, until `until` if that is given. To pause what is paused
   * replaces reason and end, if either is given. Resuming plans from now on. Null: there is none. What was due before and is still to be planned is, as with `putSchedule`, planned as it would have been without this.
   */
  setPaused(
    namespace: string,
    name: string,
    request: { paused: boolean; reason: string | null; until?: number | null; by?: string | null; now: number },
  ): Promise<ScheduleRecord | null>;
  /**
   * Takes schedules whose mark is behind `before` (nobody waits for another planner's), asks `plan` about each, and writes fires, tasks
   * and mark in one transaction. A fire that has its row already, other than `withdrawn`, creates nothing.
   */
  planSchedules(
    request: { before: number; limit: number; now: number },
    plan: (schedule: ScheduleToPlan) => SchedulePlan,
  ): Promise<{ schedules: number; tasks: NewTask[] }>;
  /**
   * Takes up to `limit` schedules whose plan ahead was made with other time zone data than this (nobody waits for another planner's), and
   * asks `shift` what becomes of it; null: the schedule does not depend on any. In one transaction tasks of removed fires that nobody
   * has claimed are withdrawn, with the reason `zone_data:VERSION`, the mark goes back where fires were added, and the change is kept.
   */
  adoptZoneData(
    request: { version: string; now: number; limit: number },
    shift: (schedule: ScheduleToShift) => FireShift | null,
  ): Promise<AdoptionAnswer>;
  /** The latest ones first. Kept as long as the ledger. */
  zoneChanges(namespace: string, query: { limit: number }): Promise<ZoneChange[]>;
  /** Oldest first, `from <= fireAt < to`. */
  listFires(
    schedule: Id,
    query: { from: number; to: number; outcome?: Fire["outcome"]; pageSize: number; after: string | null },
  ): Promise<Page<Fire>>;
  /** The latest `limit` fires of `from <= fireAt < to`, latest first. */
  latestFires(schedule: Id, query: { from: number; to: number; limit: number }): Promise<FireFacts[]>;

  // Gates
  /** Those to be judged by `until`, earliest first. */
  gates(query: { until: number; limit: number }): Promise<Gate[]>;
  /**
   * Judges these gates, whatever their time, but none that somebody else is judging or whose schedule is being planned or changed: what
   * is due there runs, waits on, or has its fire skipped, as the schedule's overlap policy says; `cancel-previous` cancels what runs.
   * One transaction, under the locks of gate and schedule.
   */
  judgeGates(request: { ids: Id[]; now: number }): Promise<JudgedGates>;

  // Targets
  /** What a node found out about a target. Of two that open it, the one that leaves it alone for longer counts. */
  setTarget(change: TargetChange, now: number): Promise<void>;
  /** Whoever is first once its `until` is over: half-open, until then nobody else. False: somebody else was, or it is closed. */
  probeTarget(id: Id, request: { now: number; until: number }): Promise<boolean>;
  /** Of all namespaces, those that are not closed or for which tasks wait. */
  watchedTargets(): Promise<(TargetRecord & { waiting: boolean })[]>;
  /** By name. Those that never had trouble, or none for a day, are not among them. */
  listTargets(
    namespace: string,
    query: { pageSize: number; after: string | null; cap: number },
  ): Promise<Page<TargetSummary>>;
  /** Not started: they wait for their targets, without having cost an attempt. Answers the ids that were still held by this session. */
  parkTasks(session: Id, tasks: ParkedTask[], now: number): Promise<Id[]>;
  /** The most urgent `limit` tasks that wait for it may be claimed, due now. */
  releaseParked(request: { target: Id; limit: number; now: number }): Promise<ReleasedTask[]>;
  // Queues
  /** Null: nobody has set anything on it. */
  getQueue(namespace: string, name: string): Promise<QueueRecord | null>;
  /**
   * `version` grows by one when anything changes; an equal one changes nothing. It binds from its commit on: nothing starts beyond it, and
   * what was claimed before and has not started is recalled where it now may not.
   */
  putQueue(request: {
    namespace: string;
    name: string;
    settings: QueueSettings;
    /** Left out: stays as it is, false for a new one. */
    paused?: boolean;
    reason?: string | null;
    by?: string | null;
    now: number;
    /** Only if this is its version; 0: only if there is none. */
    expect?: number;
  }): Promise<{ kind: "created" | "changed" | "unchanged"; queue: QueueRecord } | { kind: "version_mismatch" }>;
  /** Makes the row if there is none. To pause what is paused replaces the reason, if one is given. */
  setQueuePaused(
    namespace: string,
    name: string,
    request: { paused: boolean; reason: string | null; by?: string | null; now: number },
  ): Promise<QueueRecord>;
  /** Those on which somebody has set something, by name. */
  listQueues(namespace: string, query: { pageSize: number; after: string | null }): Promise<Page<QueueRecord>>;
  /** Of all namespaces, for a node's memory. */
  allQueues(): Promise<(QueueRecord & { mode: QueueMode })[]>;
  /**
   * Claims due tasks of these lanes of a limited queue, as many as its limits allow: one node at a time, so that they hold exactly. Tasks
   * whose key is full or has no token are put where `claim` and this pass them over, and are found again by their key. In the order in
   * which they are due, where each band less urgent counts as a minute; those of different parts of fair keys in turn.
   */
  claimLimited(request: {
    session: Id;
    namespace: string;
    queue: string;
    /** Whose tasks the caller has workers for. */
    lanes: number[];
    limit: number;
    now: number;
    /** Keys that may have a slot again. */
    keys: readonly string[];
    /** Look at all keys after this one for which something waits, not only at those that are named or have a token again. */
    sweepAfter?: string | null;
    /** As the last call answered; left out: nobody had a turn yet. */
    turns?: FairTurns | null;
  }): Promise<LimitedAnswer>;
  /** Which of these lanes have tasks that wait for their keys, and when the first key has a token again, where that is known. */
  waitingForKeys(laneIds: number[]): Promise<{ laneId: number; tokenAt: number | null }[]>;
  /** For people: up to `limit` holders each. */
  limitFacts(
    namespace: string,
    queue: string,
    query: { concurrencyKey: string | null; type: string; now: number; limit: number },
  ): Promise<LimitFacts>;

  // Operations
  /** One of this id that is there already is the answer. */
  createOperation(operation: NewOperation, now: number): Promise<OperationRecord>;
  getOperation(namespace: string, id: Id): Promise<OperationRecord | null>;
  /** Newest first. */
  listOperations(namespace: string, query: { pageSize: number; after: string | null }): Promise<Page<OperationRecord>>;
  /** Ends it where it is. `final`: it has ended already. */
  cancelOperation(
    namespace: string,
    id: Id,
    now: number,
  ): Promise<{ kind: "done" | "final"; operation: OperationRecord } | { kind: "not_found" }>;
  /**
   * Takes running backfills whose next page is due (nobody waits for another node's), asks `plan` about each, and writes ledger, tasks and
   * progress in one transaction: a page is made once or not at all. `plan` is told how many tasks of backfills of that schedule wait or
   * run, up to `most`; null leaves the operation to others. A fire that has a task gets no other: it counts as `skipped`. One whose
   * schedule is deleted is cancelled. `running`: how many go on, not counting those that others are at.
   */
  stepBackfills(
    request: { now: number; limit: number; most: number },
    plan: (operation: OperationRecord, waiting: number) => BackfillPage | null,
  ): Promise<{ running: number; tasks: NewTask[] }>;

  /**
   * Running operations of this kind whose next page is due. Nobody else is given them until `until`, when somebody may have died with them.
   */
  takeOperations(request: { kind: "bulk"; now: number; until: number; limit: number }): Promise<OperationRecord[]>;
  /** Counts a page, once, and lets whoever comes first go on with the next. False: it has ended, or somebody else has counted this page. */
  moveOperation(id: Id, page: OperationPage, now: number): Promise<boolean>;

  // Calendars
  /**
   * A change is one of every schedule that names it, in one transaction: it has a new version, and the change binds from `now` on as
   * with `putSchedule`. An equal calendar changes nothing. `ics` is the text that its events were read of.
   */
  putCalendar(
    request: NamedCalendar & { namespace: string; ics: string | null; now: number },
    /** Of a schedule with these calendars, for lists. */
    nextFireAt: (definition: ScheduleDefinition, calendars: NamedCalendar[]) => number | null,
  ): Promise<CalendarAnswer>;
  getCalendar(namespace: string, name: string): Promise<(CalendarRecord & { ics: string | null }) | null>;
  /** By name. */
  listCalendars(namespace: string, query: { pageSize: number; after: string | null }): Promise<Page<CalendarRecord>>;
  /** Of these names those that there are, in the order of the names. */
  calendars(namespace: string, names: readonly string[]): Promise<NamedCalendar[]>;
  /** `in_use`: by these schedules, the first ones by name. */
  deleteCalendar(
    namespace: string,
    name: string,
  ): Promise<{ kind: "deleted" | "not_found" } | { kind: "in_use"; schedules: string[] }>;

  // Figures and upkeep
  /** In place of what this writer said about the same windows before: it may be said again. Kept for 25 hours. */
  recordLateness(writer: Id, windows: LatenessWindow[]): Promise<void>;
  /** Of windows that began in `from <= at < to`, all writers together; by queue. */
  lateness(namespace: string, range: { from: number; to: number }): Promise<QueueLateness[]>;
  /** Tasks that are not final by lane and the state that people read, counted up to about `cap` a lane and state. */
  depths(request: { now: number; cap: number } & LaneFilter): Promise<Depth[]>;
  /**
   * Tasks made since `from`, by lane: the latest `cap` of those that are not final, and of the others. Where those were more, the answer's
   * `from` is later.
   */
  created(request: { from: number; cap: number } & LaneFilter): Promise<CreatedCounts>;
  /** How many tasks of each of these queues are not final, counted up to its `cap`; in their order. */
  countBacklogs(queues: { namespace: string; queue: string | null; cap: number }[]): Promise<number[]>;
  /** What a living node says about itself, in place of what it said before. */
  recordFigures(session: Id, figures: NodeFigures): Promise<void>;
  /** Of the living nodes, those that have yet to say something too. */
  nodeFigures(): Promise<(NodeFigures & Pick<Session, "node" | "zoneData">)[]>;
  /** The workers of a living node, in place of those that it told of before. */
  recordWorkers(session: Id, workers: readonly WorkerFacts[]): Promise<void>;
  /** Of the living nodes, as each said last. */
  connectedWorkers(namespace: string): Promise<ConnectedWorker[]>;
  /** Partitions ahead, retention, expired keys, vacuum when due: what one node at a time does for all. */
  maintain(request: { now: number; retentionMs: number; logRetentionMs: number }): Promise<void>;
  vacuum(): Promise<boolean>;

  close(): Promise<void>;
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

export type { AttemptReport, FinalState, RateLimit };
