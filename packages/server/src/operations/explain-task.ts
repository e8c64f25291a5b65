/** Why a task does not run, or what became of it. */
import { explainTask as explain, formatId, idCreatedAt, limits, publicState } from "@carillon/core";
import type { TaskRecord } from "@carillon/store";
import type { ExplanationAnswer } from "../http/schemas/outlook.ts";
import type { Deps } from "./deps.ts";
import { toExplanationAnswer } from "./explanation-answer.ts";
import { findTask } from "./tasks.ts";

/** Others that it waits for, named. */
const MOST_NAMED = 10;

export async function explainTask(deps: Deps, namespace: string, text: string): Promise<ExplanationAnswer> {
  const record = await findTask(deps, namespace, text);
  const now = deps.clock.now();
  const task = toExplain(record, now);
  const gate =
    record.state === "waiting" && record.reason === "overlap" ? await whatItWaitsFor(deps, record, now) : null;
  return toExplanationAnswer(
    explain({
      now,
      task,
      ...(record.state === "blocked" && { waitsFor: await parentsOf(deps, record) }),
      overlap: gate?.overlap ?? null,
      others: gate?.others ?? [],
      pools: (await deps.store.nodeFigures()).flatMap(({ pools }) =>
        pools.filter((pool) => pool.namespace === namespace),
      ),
      due: task.state === "queued" ? await dueBeside(deps, record, now) : { count: 0, capped: false },
    }),
  );
}

export function toExplain(task: TaskRecord, now: number) {
  return {
    ...task,
    id: formatId("task", task.id),
    state: publicState(task, now),
    createdAt: idCreatedAt(task.id),
  };
}

/** What occupies the gate: tasks of the schedule that are due, or run. */
async function whatItWaitsFor({ store }: Deps, record: TaskRecord, now: number) {
  const { id, namespace, scheduleId, scheduleName } = record;
  if (scheduleName === null) return null;
  const filter = { schedule: scheduleName, states: ["pending", "claimed", "running"] as const };
  const [schedule, live] = await Promise.all([
    store.getSchedule(namespace, scheduleName, now),
    store.listTasks(namespace, { filter, now, pageSize: limits.pageSize, after: null }),
  ]);
  const others = live.items
    .filter((task) => task.id !== id && task.scheduleId === scheduleId && task.dueAt <= now)
    .slice(0, MOST_NAMED);
  return { overlap: schedule?.definition.overlap ?? null, others: others.map((task) => formatId("task", task.id)) };
}

async function parentsOf({ store }: Deps, { namespace, id }: TaskRecord) {
  const { tasks, count } = await store.waitsFor(namespace, id, MOST_NAMED);
  return { tasks: tasks.map((parent) => formatId("task", parent)), count };
}

/** Tasks of its queue that may start now. */
async function dueBeside({ store }: Deps, { namespace, queue }: TaskRecord, now: number) {
  const depths = await store.depths({ now, cap: limits.countedTasks, namespace, queue });
  const counts = depths.filter(({ state }) => state !== "running").map(({ due }) => due);
  return {
    count: counts.reduce((sum, count) => sum + count, 0),
    capped: counts.some((count) => count >= limits.countedTasks),
  };
}
