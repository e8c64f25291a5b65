/**
 * What the rest of Carillon asks of its memory. Two implementations: `postgres` (the product) and `memory` (simulation and tests), which
 * a model-based suite holds equivalent.
 *
 * Every verb is one statement or one transaction. `now` always comes from the caller (epoch milliseconds of a clock that follows the
 * database's); nothing here reads a clock to decide. JSON values pass through as text. Whatever belongs to a tenant takes its namespace.
 */
import type { FairTurns, FireShift, Id, LogFilter, NamedCalendar } from "@carillon/core";
import type { ClaimedTask, ClaimTarget, Outcome, Progress, TaskRef } from "./records/claims.ts";
import type {
  ConnectedWorker,
  CreatedCounts,
  Depth,
  LaneFilter,
  LatenessWindow,
  NodeFigures,
  QueueLateness,
  WorkerFacts,
} from "./records/figures.ts";
import type { Fire, FireFacts, Gate, JudgedGates, SchedulePlan } from "./records/fires.ts";
import type { Hints } from "./records/hints.ts";
import type { Band, Lane } from "./records/lanes.ts";
import type { CreateAnswer, CreateOptions, NewTask } from "./records/new-tasks.ts";
import type {
  BackfillPage,
  NewOperation,
  OperationPage,
  OperationRecord,
  TypeDeclaration,
} from "./records/operations.ts";
import type { LimitedAnswer, LimitFacts, QueueMode, QueueRecord, QueueSettings } from "./records/queues.ts";
import type {
  AdoptionAnswer,
  CalendarAnswer,
  CalendarRecord,
  ScheduleDefinition,
  ScheduleRecord,
  ScheduleSummary,
  ScheduleTiming,
  ScheduleToPlan,
  ScheduleToShift,
  ZoneChange,
} from "./records/schedules.ts";
import type { OpenedSession, Recall, Session } from "./records/sessions.ts";
import type { ParkedTask, ReleasedTask, TargetChange, TargetRecord, TargetSummary } from "./records/targets.ts";
import type {
  DeadlineLook,
  FoundLogLine,
  LogLine,
  Page,
  TaskFilter,
  TaskPatch,
  TaskRecord,
  VerbAnswer,
} from "./records/tasks.ts";
import type {
  AddAnswer,
  Endings,
  NewWorkflow,
  SettledDependencies,
  TaskToAdd,
  WorkflowRecord,
  WorkflowTask,
} from "./records/workflows.ts";

export type { AttemptReport, FinalState, RateLimit } from "@carillon/core";
export * from "./records/claims.ts";
export * from "./records/figures.ts";
export * from "./records/fires.ts";
export * from "./records/hints.ts";
export * from "./records/lanes.ts";
export * from "./records/new-tasks.ts";
export * from "./records/operations.ts";
export * from "./records/queues.ts";
export * from "./records/schedules.ts";
export * from "./records/sessions.ts";
export * from "./records/targets.ts";
export * from "./records/tasks.ts";
export * from "./records/workflows.ts";

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
