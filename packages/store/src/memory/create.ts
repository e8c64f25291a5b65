import type { Id } from "@carillon/core";
import { type ClaimedTask, type CreateAnswer, type CreateOptions, type NewTask, uniquePolicyOf } from "../store.ts";
import { isLive, type MemoryDatabase, nameKey, type TaskRow } from "./database.ts";
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
  for (const task of tasks) {
    const holder = keyHolder(database, task);
    if (!holder) continue;
    const policy = uniquePolicyOf(options, task);
    const sameType = holder.lane.type === task.type;
    if (policy === "reject" || (policy === "replace" && !sameType))
      return { kind: "unique_conflict", id: holder.id, uniqueKey: task.uniqueKey!, sameType };
  }
  const answers: { id: Id; created: boolean }[] = [];
  const claimed: ClaimedTask[] = [];
  /** By this batch: inserted, or replaced once. */
  const written = new Set<Id>();
  const claimable = claim && isLive(database, claim.session) ? claim.count : 0;
  for (const [index, task] of tasks.entries()) {
    const holder = keyHolder(database, task);
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
    answers.push({ id: row.id, created: true });
    const open = claim && index < claimable && row.uniqueKey === null && queueMode(database, row.lane) === "free";
    if (open) claimed.push(claimTask(database, row, claim.session));
  }
  if (idempotency) {
    const { requestHash, expiresAt } = idempotency;
    const response = idempotency.response(answers);
    database.idempotency.set(nameKey(idempotency.namespace, idempotency.key), { requestHash, response, expiresAt });
  }
  return { kind: "created", tasks: answers, claimed };
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
