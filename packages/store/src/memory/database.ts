import type { AfterCondition, FinalState, Id, StoredState, TaskError, TaskPolicy } from "@carillon/core";
import type { PastRule } from "../past-rules.ts";
import type {
  Attempt,
  CalendarRecord,
  Fire,
  Hint,
  Lane,
  LatenessWindow,
  LogLine,
  NodeFigures,
  OperationRecord,
  ScheduleRecord,
  Trigger,
  TypeDeclaration,
  WorkflowRecord,
  ZoneChange,
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
  idempotency: Map<string, { requestHash: string; response: string; expiresAt: number }>;
  /** By parent: blocked tasks that have yet to be told of its end. */
  children: Map<Id, Set<Id>>;
  /** Ends that are noted and have yet to be told. */
  ended: Map<Id, { state: FinalState; workflow: Id | null }>;
  workflows: Map<Id, WorkflowRecord & { tasks: { id: Id; key: string }[] }>;
  /** By namespace, then by type. */
  types: Map<string, Map<string, TypeDeclaration & { declaredAt: number }>>;
  sessions: Map<Id, SessionRow>;
  lastSession: Id;
  downtimes: { from: number; until: number }[];
  /** When each gate at which something waits is to be judged next. */
  gates: Map<Id, number>;
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
  deadAt: number | null;
  closedAt: number | null;
}

export interface ScheduleRow extends ScheduleRecord {
  past: PastRule[];
  zoneData: string | null;
  deletedAt: number | null;
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
    idempotency: new Map(),
    children: new Map(),
    ended: new Map(),
    workflows: new Map(),
    types: new Map(),
    sessions: new Map(),
    lastSession: 0n,
    downtimes: [],
    gates: new Map(),
    schedules: new Map(),
    scheduleNames: new Map(),
    calendars: new Map(),
    zoneChanges: [],
    fires: new Map(),
    operations: new Map(),
    logs: new Map(),
    lateness: new Map(),
    listeners: new Set(),
  };
}

/** Keys of maps by name; no name contains a NUL. */
export const nameKey = (...names: string[]): string => names.join("\0");

export function internLane(database: MemoryDatabase, namespace: string, queue: string, type: string): Lane {
  const key = nameKey(namespace, queue, type);
  const known = database.lanesByName.get(key);
  if (known) return known;
  const lane = { id: database.lanes.length + 1, namespace, queue, type };
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
