import type { Id } from "@carillon/core";
import {
  type ClaimedTask,
  type CreateAnswer,
  type CreatedAs,
  type CreateOptions,
  type NewTask,
  uniquePolicyOf,
} from "../store.ts";
import { isLive, type MemoryDatabase, nameKey, type TaskRow } from "./database.ts";
import { joinParents, unknownParents } from "./dependencies.ts";
import { changeTask, claimTask, dueAnew, insertTask } from "./rows.ts";

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
  const unknown = unknownParents(database, tasks);
  if (unknown.length > 0) return { kind: "unknown_parents", parents: unknown };
  const answers: CreatedAs[] = [];
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
    const state = joinParents(database, row, now);
    answers.push({ id: row.id, created: true, ...(state && { state }) });
    if (claim && index < claimable && row.uniqueKey === null && row.state === "pending" && row.after.length === 0)
      claimed.push(claimTask(database, row, claim.session));
  }
  if (idempotency) {
    const { requestHash, expiresAt } = idempotency;
    const response = idempotency.response(answers);
    database.idempotency.set(nameKey(idempotency.namespace, idempotency.key), { requestHash, response, expiresAt });
  }
  return { kind: "created", tasks: answers, claimed };
}

function keyHolder(database: MemoryDatabase, task: NewTask): TaskRow | null {
  if (task.uniqueKey === null) return null;
  const id = database.uniqueKeys.get(nameKey(task.namespace, task.uniqueKey));
  return id === undefined ? null : (database.tasks.get(id) ?? null);
}

/** A held one stays as it is. */
function replaceTask(database: MemoryDatabase, holder: TaskRow, task: NewTask): void {
  if (holder.state !== "pending") return;
  changeTask(database, holder, { payload: task.payload, ...dueAnew(holder, task.dueAt), priority: task.priority });
}
