/** Verbs of people on one task. */
import { CarillonError, type Id, isFinal } from "@carillon/core";
import type { TaskPatch, TaskRecord, VerbAnswer } from "../store.ts";
import { internLane, type MemoryDatabase, nameKey, type TaskRow } from "./database.ts";
import { reopen } from "./dependencies.ts";
import { lookAtGateOf } from "./gates.ts";
import { progressOf } from "./progress.ts";
import { changeTask, dueAnew, finalAttempt, finishTask, reviveTask, scheduleNameOf, unparked } from "./rows.ts";

export function getTask(database: MemoryDatabase, namespace: string, id: Id): TaskRecord | null {
  const row = findTask(database, namespace, id);
  return row && taskRecord(database, row);
}

export function cancelTask(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  { reason, now }: { reason: string | null; now: number },
): VerbAnswer {
  const row = findTask(database, namespace, id);
  if (!row) return { kind: "not_found" };
  if (isFinal(row.state)) return { kind: "final", task: taskRecord(database, row) };
  if (row.session === null) {
    finishTask(database, row, { state: "cancelled", finishedAt: now, cancelAt: now, reason });
    return { kind: "done", task: taskRecord(database, row) };
  }
  if (row.recall !== "cancel") changeTask(database, row, { recall: "cancel", cancelAt: now, reason });
  return { kind: "recalled", task: taskRecord(database, row), session: row.session! };
}

export function patchTask(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  { priority, dueAt, payload, queue }: TaskPatch,
  now: number,
): VerbAnswer {
  const row = findTask(database, namespace, id);
  if (!row) return { kind: "not_found" };
  if (isFinal(row.state)) return { kind: "final", task: taskRecord(database, row) };
  if (row.state === "running") return { kind: "running", task: taskRecord(database, row) };
  if (row.state === "claimed") {
    changeTask(database, row, { recall: row.recall ?? "return" });
    return { kind: "recalled", task: taskRecord(database, row), session: row.session! };
  }
  lookAtGateOf(database, row, now);
  changeTask(database, row, {
    ...unparked(row),
    priority: priority ?? row.priority,
    ...dueAnew(row, dueAt ?? row.dueAt),
    payload: payload === undefined ? row.payload : payload,
    lane: queue === undefined ? row.lane : internLane(database, { ...row.lane, queue }),
  });
  return { kind: "done", task: taskRecord(database, row) };
}

export function retryTask(database: MemoryDatabase, namespace: string, id: Id, now: number): VerbAnswer {
  const row = findTask(database, namespace, id);
  if (!row) return { kind: "not_found" };
  if (row.session !== null && !isFinal(row.state)) return { kind: "running", task: taskRecord(database, row) };
  if (row.state === "succeeded") return { kind: "final", task: taskRecord(database, row) };
  if (isFinal(row.state)) {
    if (row.uniqueKey !== null && database.uniqueKeys.has(nameKey(namespace, row.uniqueKey))) {
      throw new CarillonError("unique_conflict", { detail: `Another task holds the unique key ${row.uniqueKey}.` });
    }
    const { state } = row;
    if (reviveTask(database, row, now) && row.workflow) reopen(database, row.workflow.id, [state]);
  }
  return { kind: "done", task: taskRecord(database, row) };
}

export function runTaskNow(database: MemoryDatabase, namespace: string, id: Id, now: number): VerbAnswer {
  const row = findTask(database, namespace, id);
  if (!row) return { kind: "not_found" };
  if (isFinal(row.state)) return { kind: "final", task: taskRecord(database, row) };
  if (row.session !== null) return { kind: "running", task: taskRecord(database, row) };
  lookAtGateOf(database, row, now);
  if (row.dueAt > now) changeTask(database, row, dueAnew(row, now));
  return { kind: "done", task: taskRecord(database, row) };
}

export function deleteTask(database: MemoryDatabase, namespace: string, id: Id): VerbAnswer {
  const row = findTask(database, namespace, id);
  if (!row) return { kind: "not_found" };
  if (!isFinal(row.state)) return { kind: "running", task: taskRecord(database, row) };
  const task = taskRecord(database, row);
  database.archive.delete(id);
  database.logs.delete(id);
  database.progress.delete(id);
  return { kind: "done", task };
}

export function findTask(database: MemoryDatabase, namespace: string, id: Id): TaskRow | null {
  const row = database.tasks.get(id) ?? database.archive.get(id);
  return row?.namespace === namespace ? row : null;
}

export function taskRecord(database: MemoryDatabase, row: TaskRow): TaskRecord {
  const last = finalAttempt(database, row);
  return {
    id: row.id,
    namespace: row.namespace,
    type: row.lane.type,
    queue: row.lane.queue,
    state: row.state,
    reason: row.reason,
    priority: row.priority,
    dueAt: row.dueAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    attempt: row.attempt,
    failures: row.failures,
    lost: row.lost,
    payload: row.payload,
    result: row.result,
    error: row.error,
    progress: progressOf(database, row),
    policy: row.policy,
    trigger: row.trigger,
    scheduleId: row.scheduleId,
    scheduleName: scheduleNameOf(database, row),
    fireAt: row.fireAt,
    uniqueKey: row.uniqueKey,
    concurrencyKey: row.concurrencyKey,
    fairKey: row.fairKey,
    tags: [...row.tags],
    replayOf: row.replayOf,
    requires: row.lane.requires ?? {},
    after: [...row.after],
    when: row.when,
    workflow: row.workflow && { id: row.workflow.id, key: row.workflow.key },
    worker: row.worker,
    cancelRequestedAt: row.cancelAt,
    attempts: last ? [...row.attempts, last] : [...row.attempts],
  };
}
