/** Where tasks wait for more than their instant, and how that is judged. */
import { decideOverlap, type Id, type OverlapPolicy, overlapReason } from "@carillon/core";
import type { Gate, JudgedGates } from "../store.ts";
import type { MemoryDatabase, ScheduleRow, TaskRow } from "./database.ts";
import { changeTask, deleteTask, finishTask } from "./rows.ts";

/** Of each gate; the rest is judged at once afterwards. */
const JUDGED_TASKS = 50;
/** What waits for other tasks looks this often whether they have ended; whoever sees one end looks at once. */
const POLL_MS = 1_000;

export function gates(database: MemoryDatabase, { until, limit }: { until: number; limit: number }): Gate[] {
  return [...database.gates]
    .map(([id, lookAt]) => ({ id, lookAt }))
    .filter(({ lookAt }) => lookAt <= until)
    .sort((a, b) => a.lookAt - b.lookAt || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

/** Its gate, if it waits at one, is judged by then. */
export function lookAtGateOf(database: MemoryDatabase, { state, gateId }: TaskRow, at: number): void {
  if (state !== "waiting" || gateId === null) return;
  database.gates.set(gateId, Math.min(at, database.gates.get(gateId) ?? at));
}

export function judgeGates(database: MemoryDatabase, { ids, now }: { ids: Id[]; now: number }): JudgedGates {
  const judged: JudgedGates = { gates: [], released: [], recalled: [], cancelled: [] };
  for (const id of [...new Set(ids)].sort((a, b) => (a < b ? -1 : 1))) {
    const schedule = database.schedules.get(id);
    if (schedule && database.gates.has(id)) judgeGate(database, schedule, now, judged);
  }
  return judged;
}

function judgeGate(database: MemoryDatabase, schedule: ScheduleRow, now: number, judged: JudgedGates): void {
  const policy = schedule.definition.overlap;
  const due = tasksOf(database, schedule)
    .filter((task) => task.state === "waiting" && task.gateId === schedule.id && task.dueAt <= now)
    .sort((a, b) => a.fireAt! - b.fireAt!);
  const more = due.length > JUDGED_TASKS;
  if (policy === "cancel-previous" && due.length > 0) cancelOthers(database, schedule, now, judged);
  const occupied = tasksOf(database, schedule).some(({ state }) => state !== "waiting");
  const { run, skip, wait } = decideOverlap(policy, { occupied, due: due.slice(0, JUDGED_TASKS), more });
  for (const task of skip) skipFire(database, schedule, task, { policy, now });
  for (const task of wait) changeTask(database, task, { reason: "overlap" });
  for (const task of run) {
    const dueAt = task.reason === "overlap" ? Math.max(task.dueAt, now) : task.dueAt;
    changeTask(database, task, { state: "pending", reason: null, dueAt });
    judged.released.push({ lane: task.lane, priority: task.priority, dueAt });
  }
  const coming = tasksOf(database, schedule).filter(({ state, dueAt }) => state === "waiting" && dueAt > now);
  const lookAt = Math.min(
    more && policy !== "queue-all" ? now : wait.length > 0 ? now + POLL_MS : Number.POSITIVE_INFINITY,
    ...coming.map(({ dueAt }) => dueAt),
  );
  if (lookAt === Number.POSITIVE_INFINITY) database.gates.delete(schedule.id);
  else database.gates.set(schedule.id, lookAt);
  judged.gates.push({ id: schedule.id, lookAt: database.gates.get(schedule.id) ?? null });
}

function cancelOthers(database: MemoryDatabase, schedule: ScheduleRow, now: number, judged: JudgedGates): void {
  const reason = overlapReason("cancel-previous");
  for (const task of tasksOf(database, schedule)) {
    const { id, namespace, session } = task;
    if (task.state === "waiting" || task.recall === "cancel") continue;
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
