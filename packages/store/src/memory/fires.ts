/** The ledger: what the planner writes, what a downtime takes back, what people read. */
import type { Id } from "@carillon/core";
import { atItsMark, pastAfterPlan } from "../past-rules.ts";
import type { Fire, FireFacts, NewTask, Page, SchedulePlan, ScheduleToPlan } from "../store.ts";
import type { FireRow, MemoryDatabase, ScheduleRow } from "./database.ts";
import { lookAtGate, lookAtGateOf, previousFire } from "./gates.ts";
import { deleteTask, insertTask } from "./rows.ts";
import { calendarsOf, plannedTasks, scheduleRecord } from "./schedules.ts";

/** Fires this close to the end of a downtime are not missed: they can still start in time. */
const GRACE_MS = 10_000;

export function planSchedules(
  database: MemoryDatabase,
  { before, limit }: { before: number; limit: number; now: number },
  plan: (schedule: ScheduleToPlan) => SchedulePlan,
): { schedules: number; tasks: NewTask[] } {
  const plans = [...database.schedules.values()]
    .filter((row) => isPlanned(row) && row.plannedUntil < before)
    .sort((a, b) => a.plannedUntil - b.plannedUntil || (a.id < b.id ? -1 : 1))
    .slice(0, limit)
    .map((row) => {
      const schedule = scheduleToPlan(database, row);
      return { row, schedule, plan: plan(schedule) };
    });
  const tasks: NewTask[] = [];
  for (const { row, schedule, plan } of plans) {
    const fires = database.fires.get(row.id)!;
    for (const { fireAt, outcome, reason, caughtUp, task } of plan.fires) {
      const known = fires.get(fireAt);
      if (known && known.outcome !== "withdrawn") continue;
      fires.set(fireAt, { fireAt, outcome, reason, caughtUp, taskId: task?.id ?? null, version: schedule.version });
      if (!task) continue;
      lookAtGateOf(database, insertTask(database, task), task.dueAt);
      tasks.push(task);
      row.fires++;
    }
    if (typeof plan.lookAt === "number") lookAtGate(database, row.id, plan.lookAt);
    row.plannedUntil = plan.plannedUntil;
    row.nextFireAt = plan.nextFireAt;
    if (plan.fires.length > 0 || plan.plannedUntil !== schedule.plannedUntil)
      row.zoneData = row.deletedAt === null ? (plan.zoneData ?? null) : null;
    row.past = pastAfterPlan(row.past, plan.plannedUntil);
  }
  return { schedules: plans.length, tasks };
}

/** Of those that are deleted only what was due before. */
const isPlanned = ({ deletedAt, past }: ScheduleRow): boolean => deletedAt === null || past.length > 0;

function scheduleToPlan(database: MemoryDatabase, row: ScheduleRow): ScheduleToPlan {
  const schedule = atItsMark(scheduleRecord(row), row.past);
  const limited = schedule.definition.rule.maxFires !== null;
  const fires = limited ? [...database.fires.get(row.id)!.values()] : [];
  const tasksAhead = fires
    .filter(({ fireAt, outcome, backfilled }) => fireAt > row.plannedUntil && outcome === "task" && !backfilled)
    .map(({ fireAt }) => fireAt)
    .sort((a, b) => a - b);
  const delayed = schedule.definition.rule.delay !== undefined;
  return {
    ...schedule,
    calendars: schedule.calendars ?? calendarsOf(database, schedule),
    tasksAhead,
    zoneData: row.zoneData,
    ...(delayed ? { previous: previousFire(database, row.id) } : {}),
  };
}

export function recordDowntime(database: MemoryDatabase, { from, until }: { from: number; until: number }): void {
  if (database.downtimes.some((downtime) => downtime.from === from)) return;
  database.downtimes.push({ from, until });
  for (const row of database.schedules.values()) {
    if (!isPlanned(row)) continue;
    for (const task of plannedTasks(database, row)) {
      if (task.fireAt! <= from || task.fireAt! >= until - GRACE_MS) continue;
      deleteTask(database, task);
      database.fires.get(row.id)?.delete(task.fireAt!);
      row.fires--;
    }
    row.plannedUntil = Math.min(row.plannedUntil, from);
  }
}

export function downtimes(database: MemoryDatabase, since: number): { from: number; until: number }[] {
  return database.downtimes
    .filter((downtime) => downtime.until > since)
    .sort((a, b) => a.from - b.from)
    .map((downtime) => ({ ...downtime }));
}

export function listFires(
  database: MemoryDatabase,
  schedule: Id,
  query: { from: number; to: number; outcome?: Fire["outcome"]; pageSize: number; after: string | null },
): Page<Fire> {
  const { from, to, outcome, pageSize, after } = query;
  const rows = [...(database.fires.get(schedule)?.values() ?? [])]
    .filter((fire) => fire.fireAt >= from && fire.fireAt < to && (after === null || fire.fireAt > Number(after)))
    .filter((fire) => outcome === undefined || fire.outcome === outcome)
    .sort((a, b) => a.fireAt - b.fireAt);
  const page = rows.slice(0, pageSize);
  return {
    items: page.map((fire) => fireRecord(database, fire)),
    next: rows.length > pageSize ? String(page.at(-1)!.fireAt) : null,
  };
}

export function latestFires(
  database: MemoryDatabase,
  schedule: Id,
  { from, to, limit }: { from: number; to: number; limit: number },
): FireFacts[] {
  return [...(database.fires.get(schedule)?.values() ?? [])]
    .filter((fire) => fire.fireAt >= from && fire.fireAt < to)
    .sort((a, b) => b.fireAt - a.fireAt)
    .slice(0, limit)
    .map((fire) => {
      const { task } = fireRecord(database, fire);
      const finishedAt = task === null ? null : (database.archive.get(task.id)?.finishedAt ?? null);
      return { fireAt: fire.fireAt, outcome: fire.outcome, task: task && { ...task, finishedAt } };
    });
}

function fireRecord(database: MemoryDatabase, { taskId, ...fire }: FireRow): Fire {
  const row = taskId === null ? undefined : (database.tasks.get(taskId) ?? database.archive.get(taskId));
  return {
    ...fire,
    backfilled: fire.backfilled ?? false,
    task: row
      ? { id: row.id, state: row.state, dueAt: row.dueAt, startedAt: row.startedAt, failures: row.failures }
      : null,
  };
}
