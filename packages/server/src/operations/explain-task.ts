/** Why a task does not run, or what became of it. */
import {
  callTargetOf,
  type ExplainedQueue,
  explainTask as explain,
  formatId,
  type Id,
  idCreatedAt,
  keyTargetOf,
  limits,
  publicState,
  type ServingPool,
  slotsOfType,
  WORKER_LABEL,
  waitsForTarget,
} from "@carillon/core";
import type { TaskRecord } from "@carillon/store";
import type { ExplanationAnswer } from "../http/schemas/outlook.ts";
import type { Deps } from "./deps.ts";
import { toExplanationAnswer } from "./explanation-answer.ts";
import { findTask } from "./tasks.ts";
import { connectedWorkers } from "./workers.ts";

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
      target: waitsForTarget(task) ? await awaitedTarget(deps, record) : null,
      pools: await poolsFor(deps, record),
      queue: await queueOf(deps, record, now),
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

/** Whom it could run on: for a task that asks for labels, each worker by itself. */
async function poolsFor(deps: Deps, { namespace, requires }: TaskRecord): Promise<ServingPool[]> {
  if (Object.keys(requires).length === 0) {
    const nodes = await deps.store.nodeFigures();
    return nodes.flatMap(({ pools }) => pools.filter((pool) => pool.namespace === namespace));
  }
  const workers = await connectedWorkers(deps, namespace);
  return workers.map(({ name, labels, ...worker }) => ({
    ...worker,
    labels: { ...labels, [WORKER_LABEL]: name },
    workers: 1,
  }));
}

/** What occupies the gate: tasks of the schedule that are due, or run. */
async function whatItWaitsFor({ store }: Deps, record: TaskRecord, now: number) {
  const { id, namespace, scheduleId, scheduleName } = record;
  if (scheduleName === null) return null;
  const filter = { schedule: scheduleName, states: ["pending", "waiting", "claimed", "running"] as const };
  const [schedule, live] = await Promise.all([
    store.getSchedule(namespace, scheduleName, now),
    store.listTasks(namespace, { filter, now, pageSize: limits.pageSize, after: null }),
  ]);
  const others = live.items
    .filter((task) => task.id !== id && task.scheduleId === scheduleId && task.dueAt <= now)
    .filter(({ state, reason }) => state !== "waiting" || (reason !== null && reason !== "overlap"))
    .slice(0, MOST_NAMED);
  return { overlap: schedule?.definition.overlap ?? null, others: others.map((task) => formatId("task", task.id)) };
}

async function awaitedTarget({ store }: Deps, { namespace, queue, type, payload, concurrencyKey }: TaskRecord) {
  const name = callTargetOf(type, payload) ?? keyTargetOf(queue, concurrencyKey);
  const targets = await store.watchedTargets();
  return targets.find((target) => target.namespace === namespace && target.name === name) ?? null;
}

/** So many holders are counted, at least as many as are named. */
const MOST_HOLDERS = 10_000;

/** What its queue allows, and what that is taken up by. */
async function queueOf({ store }: Deps, record: TaskRecord, now: number): Promise<ExplainedQueue | null> {
  const { namespace, queue: name, concurrencyKey, type } = record;
  const queue = await store.getQueue(namespace, name);
  if (!queue) return null;
  const { settings, pause } = queue;
  const { concurrency = 0, concurrencyPerKey = 0, rateLimit, rateLimitPerKey } = settings;
  const slots = Math.max(concurrency, concurrencyPerKey, slotsOfType(settings, type) ?? 0);
  const queueFacts = { pause, settings, concurrencyKey, type };
  if (slots === 0 && !rateLimit && !rateLimitPerKey) return { ...queueFacts, facts: null };
  const limit = Math.min(MOST_HOLDERS, Math.max(MOST_NAMED, slots));
  const query = { concurrencyKey, type, now, limit };
  const { held, keyHeld, typeHeld, ...tokens } = await store.limitFacts(namespace, name, query);
  const named = (ids: readonly Id[]) => ids.map((id) => formatId("task", id));
  const holders = { held: named(held), keyHeld: named(keyHeld), typeHeld: named(typeHeld) };
  return { ...queueFacts, facts: { ...tokens, ...holders } };
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
