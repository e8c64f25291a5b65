/** Where tasks wait for more than their instant, and how that is judged. */
import {
  decideOverlap,
  failuresReason,
  type Id,
  isFinal,
  NEVER_AGAIN,
  type OverlapPolicy,
  overlapReason,
  type PreviousFire,
} from "@carillon/core";
import type { Gate, JudgedGates } from "../store.ts";
import type { FireRow, MemoryDatabase, ScheduleRow, TaskRow } from "./database.ts";
import { changeTask, deleteTask, finishTask, isParked } from "./rows.ts";
import { pauseSchedule } from "./schedules.ts";

/** Of each gate; the rest is judged at once afterwards. */
const JUDGED_TASKS = 50;
/** What waits for other tasks looks this often whether they have ended; whoever sees one end looks at once. */
const POLL_MS = 1_000;
/** So does a schedule that goes on when its task has ended, whose next fire is at least a second away. */
const WATCH_MS = 5_000;

export function gates(database: MemoryDatabase, { until, limit }: { until: number; limit: number }): Gate[] {
  return [...database.gates]
    .map(([id, lookAt]) => ({ id, lookAt }))
    .filter(({ lookAt }) => lookAt <= until)
    .sort((a, b) => a.lookAt - b.lookAt || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

/** It is judged by then. */
export function lookAtGate(database: MemoryDatabase, gate: Id, at: number): void {
  database.gates.set(gate, Math.min(at, database.gates.get(gate) ?? at));
}

/** Its schedule's gate, if it waits there. */
export function lookAtGateOf(database: MemoryDatabase, row: TaskRow, at: number): void {
  if (row.state === "waiting" && !isParked(row)) lookAtGate(database, row.gateId!, at);
}

export function judgeGates(database: MemoryDatabase, { ids, now }: { ids: Id[]; now: number }): JudgedGates {
  const judged: JudgedGates = { gates: [], released: [], recalled: [], cancelled: [], paused: [], replan: false };
  for (const id of [...new Set(ids)].sort((a, b) => (a < b ? -1 : 1))) {
    const schedule = database.schedules.get(id);
    if (schedule && database.gates.has(id)) judgeGate(database, schedule, now, judged);
  }
  return judged;
}

function judgeGate(database: MemoryDatabase, schedule: ScheduleRow, now: number, judged: JudgedGates): void {
  pauseFailing(database, schedule, now, judged);
  const policy = schedule.definition.overlap;
  const due = tasksOf(database, schedule)
    .filter((task) => !isBeyond(task) && task.dueAt <= now)
    .sort((a, b) => a.fireAt! - b.fireAt!);
  const more = due.length > JUDGED_TASKS;
  if (policy === "cancel-previous" && due.length > 0) cancelOthers(database, schedule, now, judged);
  const occupied = tasksOf(database, schedule).some(isBeyond);
  const { run, skip, wait } = decideOverlap(policy, { occupied, due: due.slice(0, JUDGED_TASKS), more });
  for (const task of skip) skipFire(database, schedule, task, { policy, now });
  for (const task of wait) changeTask(database, task, { reason: "overlap" });
  for (const task of run) {
    const dueAt = task.reason === "overlap" ? Math.max(task.dueAt, now) : task.dueAt;
    changeTask(database, task, { state: "pending", reason: null, dueAt });
    judged.released.push({ lane: task.lane, priority: task.priority, dueAt });
  }
  const coming = tasksOf(database, schedule).filter((task) => !isBeyond(task) && task.dueAt > now);
  const lookAt = Math.min(
    more && policy !== "queue-all" ? now : wait.length > 0 ? now + POLL_MS : Number.POSITIVE_INFINITY,
    watchEnd(database, schedule, now, judged),
    watchFailures(database, schedule, now),
    ...coming.map(({ dueAt }) => dueAt),
  );
  if (lookAt === Number.POSITIVE_INFINITY) database.gates.delete(schedule.id);
  else database.gates.set(schedule.id, lookAt);
  judged.gates.push({ id: schedule.id, lookAt: database.gates.get(schedule.id) ?? null });
}

/** Past the gate: it may run, or waits for its key or for what it calls. */
const isBeyond = (task: TaskRow): boolean => task.state !== "waiting" || isParked(task);

/** Where the end has come, the planner goes on from it. When to look again otherwise. */
function watchEnd(database: MemoryDatabase, schedule: ScheduleRow, now: number, judged: JudgedGates): number {
  if (schedule.definition.rule.delay === undefined) return Number.POSITIVE_INFINITY;
  const previous = previousFire(database, schedule.id);
  if (previous?.open) return now + WATCH_MS;
  if (schedule.deletedAt === null && schedule.plannedUntil >= NEVER_AGAIN) {
    schedule.plannedUntil = previous?.endedAt ?? now;
    judged.replan = true;
  }
  return Number.POSITIVE_INFINITY;
}

/** Counted since its last change: who resumes a schedule, or mends it, begins anew. */
function pauseFailing(database: MemoryDatabase, schedule: ScheduleRow, now: number, judged: JudgedGates): void {
  const { name, namespace, definition, paused, deletedAt, updatedAt } = schedule;
  const most = definition.pauseAfterFailures;
  if (most === undefined || paused || deletedAt !== null) return;
  const latest = [...database.fires.get(schedule.id)!.values()]
    .flatMap(({ taskId }) => (taskId === null ? [] : (database.archive.get(taskId) ?? [])))
    .filter(({ finishedAt }) => finishedAt! > updatedAt)
    .sort((a, b) => b.fireAt! - a.fireAt!)
    .slice(0, most);
  if (latest.filter(({ state }) => state === "failed").length < most) return;
  const reason = failuresReason(most);
  pauseSchedule(database, schedule, { paused: true, reason, now });
  judged.paused.push({ name, namespace, reason });
  judged.replan = true;
}

/** A schedule that counts failures waits for the ends of its tasks. */
function watchFailures(database: MemoryDatabase, schedule: ScheduleRow, now: number): number {
  const counts = schedule.definition.pauseAfterFailures !== undefined;
  const live = counts && tasksOf(database, schedule).some(({ fireAt }) => fireAt !== null);
  return live ? now + WATCH_MS : Number.POSITIVE_INFINITY;
}

/** The latest one that was not withdrawn. */
export function previousFire(database: MemoryDatabase, schedule: Id): PreviousFire | null {
  const fires = [...(database.fires.get(schedule)?.values() ?? [])].filter(({ outcome }) => outcome !== "withdrawn");
  const last = fires.reduce<FireRow | null>((a, b) => (a && a.fireAt > b.fireAt ? a : b), null);
  if (!last) return null;
  const task =
    last.taskId === null ? undefined : (database.tasks.get(last.taskId) ?? database.archive.get(last.taskId));
  return { fireAt: last.fireAt, open: task ? !isFinal(task.state) : false, endedAt: task?.finishedAt ?? null };
}

function cancelOthers(database: MemoryDatabase, schedule: ScheduleRow, now: number, judged: JudgedGates): void {
  const reason = overlapReason("cancel-previous");
  for (const task of tasksOf(database, schedule)) {
    const { id, namespace, session } = task;
    if (!isBeyond(task) || task.recall === "cancel") continue;
    if (session === null) {
      finishTask(database, task, { state: "cancelled", finishedAt: now, cancelAt: now, reason });
      judged.cancelled.push({ id, namespace });
    } else {
      changeTask(database, task, { recall: "cancel", cancelAt: now, reason });
      judged.recalled.push({ id, session, reason });
    }
  }
}

function skipFire(
  database: MemoryDatabase,
  schedule: ScheduleRow,
  task: TaskRow,
  { policy, now }: { policy: OverlapPolicy; now: number },
): void {
  deleteTask(database, task);
  const fire = database.fires.get(schedule.id)?.get(task.fireAt!);
  if (fire?.taskId === task.id)
    Object.assign(fire, { outcome: "skipped", taskId: null, reason: overlapReason(policy) });
  schedule.fires--;
  // A rule that ends after so many tasks goes on for another one.
  if (schedule.definition.rule.maxFires !== null) schedule.plannedUntil = Math.min(schedule.plannedUntil, now);
}

function tasksOf(database: MemoryDatabase, { id }: ScheduleRow): TaskRow[] {
  return [...(database.scheduled.get(id) ?? [])].map((task) => database.tasks.get(task)!);
}
