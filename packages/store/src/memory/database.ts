import {
  type AfterCondition,
  type FinalState,
  fairPart,
  type Id,
  labelsText,
  type StoredState,
  type TaskError,
  type TaskPolicy,
} from "@carillon/core";
import type { PastRule } from "../past-rules.ts";
import {
  type Attempt,
  type CalendarRecord,
  type Fire,
  type Hint,
  type Lane,
  type LaneName,
  type LatenessWindow,
  type LogLine,
  laneKey,
  type NodeFigures,
  type OperationRecord,
  type Progress,
  type QueueMode,
  type QueueRecord,
  type ScheduleRecord,
  type TargetRecord,
  type Trigger,
  type TypeDeclaration,
  type WorkerFacts,
  type WorkflowRecord,
  type ZoneChange,
} from "../store.ts";
import type { PendingQueue, Place } from "./pending.ts";

/** What several memory stores share, as nodes share one PostgreSQL. Plain data; only the verbs beside this file change it. */
export interface MemoryDatabase {
  /** The database's own clock, epoch milliseconds. */
  readonly now: () => number;
  /** In order of their ids, which begin at 1. */
  lanes: Lane[];
  lanesByName: Map<string, Lane>;
  /** Tasks that are not final. */
  tasks: Map<Id, TaskRow>;
  archive: Map<Id, TaskRow>;
  /** By lane and band. */
  pending: Map<string, PendingQueue>;
  /** Ids of held tasks by session. */
  leases: Map<Id, Set<Id>>;
  /** Which task that is not final holds a key of a namespace. */
  uniqueKeys: Map<string, Id>;
  /** Ids of tasks that are not final by schedule. */
  scheduled: Map<Id, Set<Id>>;
  /** Ids of tasks that are not final and whose first start has a deadline. */
  hurried: Set<Id>;
  /** Ids of tasks that are not final and whose end has a deadline. */
  limited: Set<Id>;
  /** By namespace and unique key: which task has it until then, final or not. */
  windows: Map<string, { taskId: Id; expiresAt: number }>;
  idempotency: Map<string, { requestHash: string; response: string; expiresAt: number }>;
  /** By parent: blocked tasks that have yet to be told of its end. */
  children: Map<Id, Set<Id>>;
  /** Ends that are noted and have yet to be told. */
  ended: Map<Id, { state: FinalState; workflow: Id | null }>;
  /** `stopped`: a failure has stopped it, and it was not retried since. */
  workflows: Map<Id, WorkflowRecord & { tasks: { id: Id; key: string }[]; stopped: boolean }>;
  /** By namespace, then by type. */
  types: Map<string, Map<string, TypeDeclaration & { declaredAt: number }>>;
  sessions: Map<Id, SessionRow>;
  lastSession: Id;
  downtimes: { from: number; until: number }[];
  /** When each gate at which something waits is to be judged next. */
  gates: Map<Id, number>;
  /** Those that had trouble. */
  targets: Map<Id, TargetRecord>;
  /** Those on which somebody has set something, by namespace and name. */
  queues: Map<string, QueueRow>;
  /** Where tasks wait for their concurrency keys, by lane, then by key. */
  keyGates: Map<number, Map<string, KeyGate>>;
  lastKeyGate: Id;
  /** Ids of the tasks that wait there, or for what they call, by gate. */
  parked: Map<Id, Set<Id>>;
  schedules: Map<Id, ScheduleRow>;
  /** Which schedule that is not deleted has a name of a namespace. */
  scheduleNames: Map<string, Id>;
  /** By namespace and name. */
  calendars: Map<string, CalendarRecord & { ics: string | null }>;
  /** In order. */
  zoneChanges: ZoneChange[];
  /** By schedule, then by instant. */
  fires: Map<Id, Map<number, FireRow>>;
  operations: Map<Id, OperationRecord>;
  logs: Map<Id, TaskLog>;
  /** By task: what the attempt of this token said last. */
  progress: Map<Id, Progress & { token: bigint; at: number }>;
  /** By namespace, instant, queue and writer. */
  lateness: Map<string, LatenessWindow>;
  listeners: Set<{ owner: object; listener: (hint: Hint) => void }>;
}

export interface TaskRow {
  id: Id;
  namespace: string;
  lane: Lane;
  policy: TaskPolicy;
  priority: number;
  state: StoredState;
  dueAt: number;
  session: Id | null;
  token: bigint;
  attempt: number;
  failures: number;
  lost: number;
  recall: "cancel" | "return" | null;
  trigger: Trigger;
  scheduleId: Id | null;
  fireAt: number | null;
  /** The deadline of its first start. */
  startBy: number | null;
  finishBy: number | null;
  /** When its priority may rise next, before that. */
  raiseAt: number | null;
  startedAt: number | null;
  finishedAt: number | null;
  cancelAt: number | null;
  worker: string | null;
  uniqueKey: string | null;
  payload: string | null;
  result: string | null;
  error: TaskError | null;
  reason: string | null;
  attempts: Attempt[];
  tags: string[];
  replayOf: Id | null;
  gateId: Id | null;
  concurrencyKey: string | null;
  fairKey: string | null;
  after: Id[];
  when: AfterCondition | null;
  workflow: { id: Id; key: string; always: boolean } | null;
  /** Its end is noted. */
  hasChildren: boolean;
  /** How many ends it has yet to hear of. */
  pendingParents: number;
  /** Where it waits to be claimed; null unless pending. */
  place: Place | null;
}

export interface SessionRow {
  id: Id;
  node: string;
  url: string | null;
  slot: number;
  beat: bigint;
  seenAt: number;
  starting: boolean;
  zoneData: string | null;
  figures: NodeFigures | null;
  workers: WorkerFacts[];
  deadAt: number | null;
  closedAt: number | null;
}

export interface ScheduleRow extends ScheduleRecord {
  past: PastRule[];
  zoneData: string | null;
  deletedAt: number | null;
}

export interface QueueRow extends QueueRecord {
  mode: QueueMode;
  /** When the bucket of its rate limit is full again. */
  fullAt: number | null;
  /** The same of its keys, where it is not over. */
  keyFullAt: Map<string, number>;
}

export interface KeyGate {
  /** Negative, as ids of schedules are not. */
  gateId: Id;
  /** When its key has a token again; null: it waits for a slot. */
  lookAt: number | null;
}

export interface FireRow {
  fireAt: number;
  outcome: Fire["outcome"];
  taskId: Id | null;
  version: number;
  reason: string | null;
  caughtUp: boolean;
  /** Absent: it is not. */
  backfilled?: boolean;
}

export interface TaskLog {
  lines: (LogLine & { seq: number })[];
  bytes: number;
  full: boolean;
}

export function createMemoryDatabase({ now }: { now: () => number }): MemoryDatabase {
  return {
    now,
    lanes: [],
    lanesByName: new Map(),
    tasks: new Map(),
    archive: new Map(),
    pending: new Map(),
    leases: new Map(),
    uniqueKeys: new Map(),
    scheduled: new Map(),
    hurried: new Set(),
    limited: new Set(),
    windows: new Map(),
    idempotency: new Map(),
    children: new Map(),
    ended: new Map(),
    workflows: new Map(),
    types: new Map(),
    sessions: new Map(),
    lastSession: 0n,
    downtimes: [],
    gates: new Map(),
    targets: new Map(),
    queues: new Map(),
    keyGates: new Map(),
    lastKeyGate: 0n,
    parked: new Map(),
    schedules: new Map(),
    scheduleNames: new Map(),
    calendars: new Map(),
    zoneChanges: [],
    fires: new Map(),
    operations: new Map(),
    logs: new Map(),
    progress: new Map(),
    lateness: new Map(),
    listeners: new Set(),
  };
}

/** Keys of maps by name; no name contains a NUL. */
export const nameKey = (...names: string[]): string => names.join("\0");

export function internLane(database: MemoryDatabase, name: LaneName): Lane {
  const key = laneKey(name);
  const known = database.lanesByName.get(key);
  if (known) return known;
  const { namespace, queue, type, requires } = name;
  const id = database.lanes.length + 1;
  const fair = name.fair ?? fairPart(name.fairKey);
  const lane = {
    ...{ id, namespace, queue, type },
    ...(requires && labelsText(requires) !== "" ? { requires } : {}),
    ...(fair === 0 ? {} : { fair }),
  };
  database.lanes.push(lane);
  database.lanesByName.set(key, lane);
  return lane;
}

/** Whether a session may take tasks: it was opened, and nobody has marked it dead or closed it. */
export function isLive(database: MemoryDatabase, session: Id): boolean {
  const row = database.sessions.get(session);
  return row !== undefined && row.deadAt === null && row.closedAt === null;
}

/** The set of a key, made when it is missing. */
export function setOf<Key, Value>(sets: Map<Key, Set<Value>>, key: Key): Set<Value> {
  let set = sets.get(key);
  if (!set) sets.set(key, (set = new Set()));
  return set;
}
