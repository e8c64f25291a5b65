/** How a task's row moves between the tables, with everything that is kept in order beside them. */
import {
  type FinalState,
  finishBy,
  firstRiseAt,
  formatId,
  type Id,
  isFinal,
  limits,
  startBy,
  type TaskError,
} from "@carillon/core";
import { type Attempt, bandOf, type ClaimedTask, type NewTask } from "../store.ts";
import { internLane, type MemoryDatabase, nameKey, setOf, type TaskRow } from "./database.ts";
import { createPendingQueue, enter, leave } from "./pending.ts";

export function insertTask(database: MemoryDatabase, task: NewTask): TaskRow {
  const row: TaskRow = {
    id: task.id,
    namespace: task.namespace,
    lane: internLane(database, task),
    policy: task.policy,
    priority: task.priority,
    state: task.gateId ? "waiting" : task.after?.length ? "blocked" : "pending",
    dueAt: task.dueAt,
    session: null,
    token: 0n,
    attempt: 0,
    failures: 0,
    lost: 0,
    recall: null,
    trigger: task.trigger,
    scheduleId: task.scheduleId,
    fireAt: task.fireAt,
    startBy: startBy(task),
    finishBy: finishBy(task),
    raiseAt: firstRiseAt(task),
    startedAt: null,
    finishedAt: null,
    cancelAt: null,
    worker: null,
    uniqueKey: task.uniqueKey,
    payload: task.payload,
    result: null,
    error: null,
    reason: null,
    attempts: [],
    tags: [...task.tags],
    replayOf: task.replayOf,
    gateId: task.gateId ?? null,
    concurrencyKey: task.concurrencyKey ?? null,
    fairKey: task.fairKey ?? null,
    after: [...(task.after ?? [])],
    when: task.after?.length ? (task.when ?? "all") : null,
    workflow: task.workflow ? { ...task.workflow } : null,
    hasChildren: task.workflow !== undefined,
    pendingParents: task.after?.length ?? 0,
    place: null,
  };
  addLive(database, row);
  return row;
}

/** One state that is not final to another, or the same with other contents. */
export function changeTask(database: MemoryDatabase, row: TaskRow, change: Partial<TaskRow>): void {
  unplace(database, row);
  Object.assign(row, change);
  place(database, row);
}

/** Due at another instant; the deadline of its first start goes with it, and before that start the one of its end. */
export function dueAnew(row: TaskRow, dueAt: number): Pick<TaskRow, "dueAt" | "startBy" | "finishBy" | "raiseAt"> {
  const moved = (at: number | null) => (at === null ? null : dueAt + (at - row.dueAt));
  const { finishBy, raiseAt } = row;
  return {
    dueAt,
    startBy: moved(row.startBy),
    ...(row.attempt > 0 ? { finishBy, raiseAt } : { finishBy: moved(finishBy), raiseAt: moved(raiseAt) }),
  };
}

export function claimTask(database: MemoryDatabase, row: TaskRow, session: Id): ClaimedTask {
  changeTask(database, row, { state: "claimed", session, token: row.token + 1n, attempt: row.attempt + 1 });
  return claimedTask(database, row);
}

/** Back to `pending`: nobody holds it, nobody is asked for anything. */
export function returnTask(database: MemoryDatabase, row: TaskRow, change: Partial<TaskRow>): void {
  changeTask(database, row, {
    state: "pending",
    session: null,
    recall: null,
    cancelAt: null,
    reason: null,
    startedAt: null,
    worker: null,
    ...change,
  });
}

export function finishTask(
  database: MemoryDatabase,
  row: TaskRow,
  change: Partial<TaskRow> & { state: FinalState; finishedAt: number },
): void {
  removeLive(database, row);
  Object.assign(row, change, { recall: null });
  database.archive.set(row.id, row);
  noteEnd(database, row, change.state);
}

/** Until it is told (`dependencies.ts`). */
function noteEnd(database: MemoryDatabase, { id, hasChildren, workflow }: TaskRow, state: FinalState): void {
  if (hasChildren) database.ended.set(id, { state, workflow: workflow?.id ?? null });
}

/**
 * Out of the archive: `pending` with a fresh budget, or `blocked` if it waits for others. The token stays, so that it goes on growing. An end
 * that was not told yet never was: true if it was.
 */
export function reviveTask(database: MemoryDatabase, row: TaskRow, dueAt: number, pendingParents = 0): boolean {
  const told = !database.ended.delete(row.id);
  const last = finalAttempt(database, row);
  if (last) row.attempts = withAttempt(row.attempts, last);
  database.archive.delete(row.id);
  Object.assign(row, {
    ...dueAnew(row, dueAt),
    ...(row.attempt > 0 ? { startBy: null } : {}),
    finishBy: finishBy({ policy: row.policy, dueAt }),
    raiseAt: firstRiseAt({ policy: row.policy, dueAt }),
    state: pendingParents > 0 ? "blocked" : "pending",
    hasChildren: row.workflow !== null || !told,
    pendingParents,
    session: null,
    failures: 0,
    lost: 0,
    cancelAt: null,
    reason: null,
    startedAt: null,
    finishedAt: null,
    worker: null,
    result: null,
    gateId: null,
  } satisfies Partial<TaskRow>);
  addLive(database, row);
  return told;
}

/** Forgets a task that is not final. */
export function deleteTask(database: MemoryDatabase, row: TaskRow): void {
  removeLive(database, row);
  noteEnd(database, row, "skipped");
}

export function claimedTask(database: MemoryDatabase, row: TaskRow): ClaimedTask {
  return {
    id: row.id,
    token: row.token,
    lane: row.lane,
    policy: row.policy,
    priority: row.priority,
    dueAt: row.dueAt,
    attempt: row.attempt,
    failures: row.failures,
    lost: row.lost,
    payload: row.payload,
    scheduleId: row.scheduleId,
    scheduleName: scheduleNameOf(database, row),
    fireAt: row.fireAt,
    finishBy: row.finishBy,
    ...(row.after.length > 0 && { parents: parentsOf(database, row) }),
    ...(row.workflow && { workflow: { id: row.workflow.id, key: row.workflow.key } }),
    startedAt: row.startedAt,
  };
}

/** Results of those that it came after and that succeeded, as far as they fit. */
function parentsOf(database: MemoryDatabase, row: TaskRow): string {
  const members: string[] = [];
  let bytes = 0;
  for (const id of row.after) {
    const parent = database.archive.get(id);
    if (parent?.state !== "succeeded") continue;
    const result = parent.result ?? "null";
    bytes += Buffer.byteLength(result);
    if (bytes > limits.parentsBytes) break;
    const key = row.workflow && parent.workflow?.id === row.workflow.id ? parent.workflow.key : formatId("task", id);
    members.push(`${JSON.stringify(key)}:${result}`);
  }
  return `{${members.join(",")}}`;
}

export function scheduleNameOf(database: MemoryDatabase, { scheduleId }: TaskRow): string | null {
  return scheduleId === null ? null : (database.schedules.get(scheduleId)?.name ?? null);
}

/** `row` if it is held with this token. */
export function heldTask(database: MemoryDatabase, ref: { id: Id; token: bigint }): TaskRow | null {
  const row = database.tasks.get(ref.id);
  return row && row.session !== null && row.token === ref.token ? row : null;
}

/** The present attempt of a held task, as it ended. */
export function endedAttempt(
  database: MemoryDatabase,
  row: TaskRow,
  end: {
    outcome: Attempt["outcome"];
    startedAt: number | null;
    finishedAt: number;
    worker: string | null;
    error: TaskError | null;
  },
): Attempt {
  return { number: row.attempt, dueAt: row.dueAt, node: nodeOf(database, row), ...end };
}

export function withAttempt(attempts: Attempt[], attempt: Attempt): Attempt[] {
  return [...attempts, attempt].slice(-limits.keptAttempts);
}

/** The attempt that made a task final; null when it became final without one. */
export function finalAttempt(database: MemoryDatabase, row: TaskRow): Attempt | null {
  if (!isFinal(row.state) || row.startedAt === null) return null;
  return {
    number: row.attempt,
    worker: row.worker,
    node: nodeOf(database, row),
    dueAt: row.dueAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt!,
    outcome: finalOutcome(row.state, row.error),
    error: row.error,
  };
}

function finalOutcome(state: FinalState, error: TaskError | null): Attempt["outcome"] {
  if (state === "failed" && error?.code === "worker_lost") return "lost";
  return state === "skipped" ? "cancelled" : state;
}

function nodeOf(database: MemoryDatabase, row: TaskRow): string | null {
  return row.session === null ? null : (database.sessions.get(row.session)?.node ?? null);
}

function addLive(database: MemoryDatabase, row: TaskRow): void {
  database.tasks.set(row.id, row);
  if (row.uniqueKey !== null) database.uniqueKeys.set(nameKey(row.namespace, row.uniqueKey), row.id);
  if (row.scheduleId !== null) setOf(database.scheduled, row.scheduleId).add(row.id);
  if (row.startBy !== null) database.hurried.add(row.id);
  if (row.finishBy !== null) database.limited.add(row.id);
  place(database, row);
}

function removeLive(database: MemoryDatabase, row: TaskRow): void {
  unplace(database, row);
  database.tasks.delete(row.id);
  if (row.uniqueKey !== null) database.uniqueKeys.delete(nameKey(row.namespace, row.uniqueKey));
  if (row.scheduleId !== null) database.scheduled.get(row.scheduleId)?.delete(row.id);
  database.hurried.delete(row.id);
  database.limited.delete(row.id);
}

function place(database: MemoryDatabase, row: TaskRow): void {
  if (row.state === "pending") row.place = enter(pendingQueue(database, row), row.dueAt, row.id);
  if (row.session !== null) setOf(database.leases, row.session).add(row.id);
  if (isParked(row)) setOf(database.parked, row.gateId!).add(row.id);
}

function unplace(database: MemoryDatabase, row: TaskRow): void {
  if (row.place) leave(row.place);
  row.place = null;
  if (row.session !== null) database.leases.get(row.session)?.delete(row.id);
  if (isParked(row)) database.parked.get(row.gateId!)?.delete(row.id);
}

/** It waits for its concurrency key, or for what it calls. */
export const isParked = ({ state, gateId, scheduleId }: TaskRow): boolean =>
  state === "waiting" && gateId !== scheduleId;

/** What is changed while it waits there is looked at anew. */
export const unparked = (row: TaskRow): Partial<TaskRow> =>
  isParked(row) ? { state: "pending", gateId: null, reason: null } : {};

function pendingQueue(database: MemoryDatabase, row: TaskRow) {
  const key = pendingKey(row.lane.id, bandOf(row.priority));
  let queue = database.pending.get(key);
  if (!queue) database.pending.set(key, (queue = createPendingQueue()));
  return queue;
}

export const pendingKey = (laneId: number, band: number): string => `${laneId}/${band}`;
