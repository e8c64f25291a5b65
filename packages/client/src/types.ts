/** The JSON shapes of the REST API, as a client sees them. A test of the server keeps them equal to what it sends. */

export type TaskState =
  | "blocked"
  | "scheduled"
  | "queued"
  | "running"
  | "retrying"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "skipped";

/** When a task may run that comes after others: once `all` succeeded, `any` has, `all-done` are final, or one failed (`on-failure`). */
export type AfterCondition = "all" | "any" | "all-done" | "on-failure";

export interface TaskErrorInfo {
  code: string;
  name: string;
  message: string;
  /** Absent in lists. */
  stack?: string | null;
}

export interface RetryInfo {
  maxAttempts: number;
  backoff: {
    kind: "fixed" | "linear" | "exponential";
    initial: string;
    factor: number;
    max: string;
    jitter: "full" | "none";
  };
}

/** As lists show it; a single task also has `payload`, `result` and the error's stack. Instants are RFC 3339 text. */
export interface TaskSummary {
  id: string;
  namespace: string;
  type: string;
  queue: string;
  state: TaskState;
  reason: string | null;
  priority: number;
  createdAt: string;
  dueAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  latenessMs: number | null;
  attempt: number;
  maxAttempts: number;
  lost: number;
  error: TaskErrorInfo | null;
  progress: { fraction: number; message: string | null } | null;
  retry: RetryInfo;
  timeout: string;
  startWithin: string | null;
  finishWithin: string | null;
  trigger: "api" | "sql" | "schedule" | "backfill" | "manual" | "workflow";
  schedule: string | null;
  fireAt: string | null;
  workflow: string | null;
  /** Its key in its workflow. */
  workflowKey: string | null;
  /** Ids of tasks that come first. */
  after: string[];
  /** Which ends of theirs it waits for; null: it comes after none. */
  when: AfterCondition | null;
  replayOf: string | null;
  uniqueKey: string | null;
  concurrencyKey: string | null;
  fairKey: string | null;
  tags: string[];
  requires: Record<string, string>;
  worker: string | null;
  cancelRequestedAt: string | null;
}

export interface Task<Payload = unknown, Result = unknown> extends TaskSummary {
  payload: Payload;
  result: Result | null;
}

export interface Broadcast {
  /** All of its tasks have it, to be listed by. */
  tag: string;
  tasks: { id: string; worker: string }[];
}

/** A worker that is connected. */
export interface WorkerInfo {
  name: string;
  /** Where it is connected; null: that node has yet to say so. */
  node: string | null;
  version: string;
  /** It has the label `worker` too, with its name. */
  labels: Record<string, string>;
  queues: string[];
  types: string[];
  /** How many tasks it can hold at once. */
  slots: number;
  busy: number;
  connectedAt: string;
}

export interface AttemptInfo {
  number: number;
  worker: string | null;
  node: string | null;
  dueAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  latenessMs: number | null;
  outcome: "succeeded" | "failed" | "lost" | "cancelled" | "snoozed";
  error: TaskErrorInfo | null;
}

export interface LogLine {
  at: string;
  level: "debug" | "info" | "warn" | "error";
  message: string;
  attempt: number;
}

export interface FoundLogLine extends LogLine {
  task: { id: string; type: string; queue: string; state: TaskState };
}

/** Exactly one of them. */
export interface RuleSource {
  cron?: string | undefined;
  every?: string | undefined;
  /** RFC 5545: a rule, also with lines `DTSTART`, `EXDATE` and `RDATE`. */
  rrule?: string | undefined;
  /** Once, among `rules` only: a wall time of the schedule's zone such as `2026-12-24T18:00`, or an instant. */
  at?: string | undefined;
}

/** Each fire comes so long after the task of the one before became final. */
export interface FixedDelay {
  interval: string;
  after: "end";
}

/** `ocps`: the Open Cron Pattern Specification; `vixie`: as Linux systems; `quartz`: as the Java library; `aws`: as EventBridge. */
export type CronDialect = "ocps" | "vixie" | "quartz" | "aws";

/** `allow` it; `skip` the fire; let one wait (`queue-one`) or all (`queue-all`); `cancel-previous`, and run when that has ended. */
export type OverlapPolicy = "allow" | "skip" | "queue-one" | "queue-all" | "cancel-previous";

export interface Schedule {
  name: string;
  namespace: string;
  version: number;
  words: string;
  cron: string | null;
  every: string | FixedDelay | null;
  rrule: string | null;
  /** Each with the one field that it was given. */
  rules: RuleSource[] | null;
  timeZone: string;
  task: {
    type: string;
    payload: unknown;
    queue: string | null;
    priority: number;
    retry: RetryInfo | null;
    timeout: string | null;
    startWithin: string | null;
    finishWithin: string | null;
    concurrencyKey: string | null;
    fairKey: string | null;
    tags: string[];
    requires: Record<string, string>;
  };
  overlap: OverlapPolicy;
  pauseAfterFailures: number | null;
  catchUp: { policy: "skip" | "last" | "all"; window: string; limit: number };
  dst: { gap: "next" | "skip" | "shift"; overlap: "first" | "second" | "both" };
  dialect: CronDialect;
  jitter: string | null;
  startAt: string | null;
  endAt: string | null;
  maxFires: number | null;
  excludes: string[];
  includes: string[];
  roll: "none" | "next" | "previous";
  paused: boolean;
  /** `until`: it ends by itself then; `by`: who paused it, where that is known. */
  pause: { reason: string | null; at: string; until: string | null; by: string | null } | null;
  nextFireAt: string | null;
  lastFireAt: string | null;
  lastTask: { id: string; state: TaskState } | null;
  createdAt: string;
  updatedAt: string;
}

export type Weekday = "MON" | "TUE" | "WED" | "THU" | "FRI" | "SAT" | "SUN";

/** What tasks call (for `http` host and port), and had trouble. */
export interface Target {
  name: string;
  /** `open`: tasks that call it wait; `half-open`: one of them at a time tries. */
  state: "closed" | "open" | "half-open";
  since: string;
  /** When an open one is tried next. */
  until: string | null;
  /** How often it opened without closing in between. */
  trips: number;
  reason: string | null;
  /** Tasks that wait for it, counted up to 1,000. */
  waiting: number;
}

/** As lists show it; a single calendar also has `ics`. */
export interface CalendarSummary {
  name: string;
  namespace: string;
  version: number;
  timeZone: string;
  weekly: { days: Weekday[]; from: string; to: string }[];
  dates: string[];
  ranges: { from: string; to: string }[];
  /** How many events were read of `ics`. */
  events: number;
  createdAt: string;
  updatedAt: string;
}

export interface Calendar extends CalendarSummary {
  ics: string | null;
}

/** What goes on in the background, and how far it has come. */
export interface Operation {
  id: string;
  kind: "backfill" | "bulk";
  /** Of `bulk`: what is done to the tasks. */
  action: "cancel" | "retry" | "run-now" | "priority" | null;
  state: "running" | "done" | "cancelled";
  schedule: string | null;
  /** How many things it is about; those that it has come to are done, needed nothing (`skipped`) or failed. */
  matched: number;
  done: number;
  skipped: number;
  failed: number;
  createdAt: string;
  finishedAt: string | null;
}

/** As lists show it. */
export interface WorkflowSummary {
  id: string;
  namespace: string;
  name: string;
  /** `running` until all of its tasks are final; then as the worst of them, skipped ones left out. */
  state: "running" | "succeeded" | "failed" | "cancelled";
  onFailure: "stop" | "continue";
  /** Why it was cancelled. */
  reason: string | null;
  /** Of its tasks; those that are not final are `open`. */
  counts: { total: number; open: number; succeeded: number; failed: number; cancelled: number; skipped: number };
  createdAt: string;
  finishedAt: string | null;
  cancelRequestedAt: string | null;
}

/** A task as the graph of its workflow shows it; its state is null, and other fields are, when it is forgotten. */
export interface WorkflowTask {
  key: string;
  id: string;
  type: string | null;
  queue: string | null;
  state: TaskState | null;
  reason: string | null;
  /** Keys. */
  after: string[];
  when: AfterCondition | null;
  dueAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  attempt: number;
  error: TaskErrorInfo | null;
}

export interface Workflow extends WorkflowSummary {
  /** In the order in which they were submitted. */
  tasks: WorkflowTask[];
}

export interface Fire {
  at: string;
  local: string;
  outcome: "expected" | "task" | "skipped" | "missed" | "withdrawn";
  reason: string | null;
  task: { id: string; state: TaskState; latenessMs: number | null } | null;
  caughtUp: boolean;
  backfilled: boolean;
  version: number;
}

/** Milliseconds; null when nothing was counted. */
export interface Spread {
  p50Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}

export interface LatenessSpread extends Spread {
  /** How many were at most so late, and later than the step before; `toMs` is null for what is beyond all steps. */
  histogram: { toMs: number | null; count: number }[];
}

export interface ScheduleStats {
  window: string;
  from: string;
  to: string;
  /** False: of the fires in the window only the latest 1,000 are counted. */
  complete: boolean;
  fires: number;
  outcomes: Record<"task" | "skipped" | "missed" | "withdrawn", number>;
  /** How the fires' tasks stand; those deleted or past their retention are `forgotten`. */
  tasks: Record<TaskState | "forgotten", number>;
  /** Succeeded of those that succeeded or failed; null when none did. */
  successRate: number | null;
  lateness: LatenessSpread;
  duration: Spread;
}

/** Counts are capped, see `capped`; rates are means over about the last minute. */
interface QueueFigures {
  /** May start now, or are on their way to a worker. */
  due: number;
  /** Due later, those that are tried again among them. */
  scheduled: number;
  running: number;
  /** Wait for other tasks. */
  blocked: number;
  /** The sum of these. */
  depth: number;
  /** Of some task types there are 10,000 or more in one state, and only so many are counted. */
  capped: boolean;
  /** How long the first task that is due waits for a worker; null: none does. */
  oldestAgeMs: number | null;
  perSecond: { created: number; started: number; finished: number };
  lateness: Spread & { window: string };
}

export interface QueueStats extends QueueFigures, Pick<Queue, "name" | "paused" | "pause"> {}

/** So many may start in that time, evenly; `burst` at once after a pause. */
export interface RateLimit {
  limit: number;
  per: string;
  burst: number;
}

/** What a queue allows; null: no limit. */
export interface Queue {
  name: string;
  namespace: string;
  /** 0: nobody has ever set anything. */
  version: number;
  concurrency: number | null;
  concurrencyPerKey: number | null;
  concurrencyPerType: Record<string, number> | null;
  rateLimit: RateLimit | null;
  rateLimitPerKey: RateLimit | null;
  maxBacklog: number | null;
  breaker: { failures: number; openFor: string; adaptive: boolean } | null;
  /** Of fair keys; those that are not named weigh 1. */
  fairWeights: Record<string, number>;
  paused: boolean;
  /** `by`: who paused it, where that is known. */
  pause: { reason: string | null; at: string; by: string | null } | null;
  createdAt: string | null;
  updatedAt: string | null;
}

export interface Stats extends QueueFigures {
  version: string;
  /** Version of the time zone data that schedules are planned with: the newest among the nodes that plan. */
  tzdata: string;
  /** Living ones. */
  nodes: number;
  /** Connected to any of them. */
  workers: number;
  /** How many nodes plan with which version. */
  nodesByTzdata: Record<string, number>;
  /** What new time zone data changed, newest first. */
  zoneChanges: ZoneChange[];
}

export interface ZoneChange {
  at: string;
  schedule: string;
  /** Versions of the data: that its fires were planned with, and that they are planned with now. */
  from: string;
  to: string;
  /** Planned fires that were withdrawn. */
  removed: string[];
  /** Fires that the old data did not have, the first 100. */
  added: string[];
  nextFireAt: { before: string | null; after: string | null };
}

export interface QueueLateness extends LatenessSpread {
  queue: string;
  started: number;
  /** Where it arose, on the average of all starts; `planner` stands before the others, which add up to the mean lateness. */
  meanMs: Record<"planner" | "claim" | "dispatch" | "transport" | "start", number>;
}

export interface Lateness {
  window: string;
  from: string;
  to: string;
  queues: QueueLateness[];
}

export interface SchedulePreview {
  words: string;
  /** `rolledFrom`: where the rule has it, when a calendar moved it. */
  fires: { at: string; local: string; offset: string; rolledFrom: string | null }[];
  warnings: { code: string; message: string }[];
  /** The next two changes of the zone's clock, if there are any within two years. */
  clockChanges: { at: string; offsetBefore: string; offsetAfter: string }[];
}

/** Failed tasks of the same type, error and place. */
export interface FailureGroup {
  fingerprint: string;
  type: string;
  /** Of the newest. */
  error: Omit<TaskErrorInfo, "stack">;
  count: number;
  firstAt: string;
  lastAt: string;
  /** Ids of the newest, a few. */
  tasks: string[];
}

export interface FailureList {
  failures: FailureGroup[];
  /** How many failed tasks were looked at. */
  read: number;
  /** False: there are older ones, or more groups. */
  complete: boolean;
}

/** Why something is as it is, in one sentence and its reasons. */
export interface Explanation {
  summary: string;
  reasons: {
    code: string;
    message: string;
    /** When it ends by itself, or happens. */
    until: string | null;
    /** Ids of the tasks and instants of the fires it speaks of. */
    refs: string[];
  }[];
}

export interface ScheduleLoad {
  from: string;
  to: string;
  step: string;
  /** How many were looked at; paused ones are left out. */
  schedules: number;
  fires: number;
  /** False: there are more fires than were counted. */
  complete: boolean;
  /** Tasks that fires make due in each step. */
  counts: number[];
  /** The highest steps; `spread` is a jitter that would at least halve it. */
  peaks: {
    at: string;
    fires: number;
    spread: { jitter: string; schedules: number; fires: number; message: string } | null;
  }[];
}

export interface Page<Item> {
  items: Item[];
  nextPageToken: string | null;
}
