import { type Id, labelsText, limits } from "@carillon/core";
import { tooManyKinds } from "../requires-kinds.ts";
import {
  type ClaimedTask,
  type CreateAnswer,
  type CreatedAs,
  type CreateOptions,
  laneKey,
  type NewTask,
  uniquePolicyOf,
} from "../store.ts";
import { isLive, type MemoryDatabase, nameKey, type TaskRow } from "./database.ts";
import { joinParents, unknownParents } from "./dependencies.ts";
import { queueMode } from "./queues.ts";
import { changeTask, claimTask, dueAnew, insertTask, isParked, unparked } from "./rows.ts";

export function createTasks(database: MemoryDatabase, tasks: NewTask[], options: CreateOptions): CreateAnswer {
  const { now, idempotency = null, claim = null } = options;
  if (idempotency) {
    const earlier = database.idempotency.get(nameKey(idempotency.namespace, idempotency.key));
    if (earlier && earlier.expiresAt > now) {
      if (earlier.requestHash !== idempotency.requestHash) return { kind: "key_reused" };
      return { kind: "replayed", response: earlier.response };
    }
  }
  admitKinds(database, tasks);
  for (const task of tasks) {
    const holder = holderOf(database, task, now);
    if (!holder) continue;
    const policy = uniquePolicyOf(options, task);
    const sameType = holder.lane.type === task.type;
    if (policy === "reject" || (policy === "replace" && !sameType))
      return { kind: "unique_conflict", id: holder.id, uniqueKey: task.uniqueKey!, sameType };
  }
  const unknown = unknownParents(database, tasks);
  if (unknown.length > 0) return { kind: "unknown_parents", parents: unknown };
  const answers: CreatedAs[] = [];
  const claimed: ClaimedTask[] = [];
  /** By this batch: inserted, or replaced once. */
  const written = new Set<Id>();
  const claimable = claim && isLive(database, claim.session) ? claim.count : 0;
  for (const [index, task] of tasks.entries()) {
    const holder = holderOf(database, task, now);
    if (holder) {
      // Twice in one batch: the later one is answered with the first.
      if (uniquePolicyOf(options, task) === "replace" && !written.has(holder.id)) {
        replaceTask(database, holder, task);
        written.add(holder.id);
      }
      answers.push({ id: holder.id, created: false });
      continue;
    }
    const row = insertTask(database, task);
    written.add(row.id);
    openWindow(database, task, now);
    const state = joinParents(database, row, now);
    answers.push({ id: row.id, created: true, ...(state && { state }) });
    const mayClaim = row.uniqueKey === null && row.state === "pending" && row.after.length === 0;
    if (claim && index < claimable && mayClaim && queueMode(database, row.lane) === "free")
      claimed.push(claimTask(database, row, claim.session));
  }
  if (idempotency) {
    const { requestHash, expiresAt } = idempotency;
    const response = idempotency.response(answers);
    database.idempotency.set(nameKey(idempotency.namespace, idempotency.key), { requestHash, response, expiresAt });
  }
  return { kind: "created", tasks: answers, claimed };
}

function holderOf(database: MemoryDatabase, task: NewTask, now: number): TaskRow | null {
  return windowHolder(database, task, now) ?? keyHolder(database, task);
}

/** Only creates that ask for a window themselves look. One whose task is forgotten is over. */
function windowHolder(database: MemoryDatabase, task: NewTask, now: number): TaskRow | null {
  if (task.uniqueKey === null || task.uniqueForMs === undefined) return null;
  const window = database.windows.get(nameKey(task.namespace, task.uniqueKey));
  if (!window || window.expiresAt <= now) return null;
  return database.tasks.get(window.taskId) ?? database.archive.get(window.taskId) ?? null;
}

function openWindow(database: MemoryDatabase, { id, namespace, uniqueKey, uniqueForMs }: NewTask, now: number): void {
  if (uniqueKey === null || uniqueForMs === undefined) return;
  database.windows.set(nameKey(namespace, uniqueKey), { taskId: id, expiresAt: now + uniqueForMs });
}

export function rememberedAnswer(
  database: MemoryDatabase,
  namespace: string,
  key: string,
  now: number,
): { requestHash: string; response: string } | null {
  const kept = database.idempotency.get(nameKey(namespace, key));
  return kept && kept.expiresAt > now ? { requestHash: kept.requestHash, response: kept.response } : null;
}

export function admitKinds(database: MemoryDatabase, tasks: NewTask[]): void {
  const fresh = new Map<string, NewTask>();
  for (const task of tasks) {
    const key = laneKey(task);
    if (labelsText(task.requires) !== "" && !database.lanesByName.has(key)) fresh.set(key, task);
  }
  for (const { namespace } of fresh.values()) {
    const kinds = [...database.lanes, ...fresh.values()].filter(
      (lane) => lane.namespace === namespace && lane.requires,
    );
    if (kinds.length > limits.requiresKinds) throw tooManyKinds(namespace);
  }
}

function keyHolder(database: MemoryDatabase, task: NewTask): TaskRow | null {
  if (task.uniqueKey === null) return null;
  const id = database.uniqueKeys.get(nameKey(task.namespace, task.uniqueKey));
  return id === undefined ? null : (database.tasks.get(id) ?? null);
}

/** A held one stays as it is. */
function replaceTask(database: MemoryDatabase, holder: TaskRow, task: NewTask): void {
  if (holder.state !== "pending" && !isParked(holder)) return;
  changeTask(database, holder, {
    ...unparked(holder),
    payload: task.payload,
    ...dueAnew(holder, task.dueAt),
    priority: task.priority,
  });
}
