import { type Id, retriedNodes } from "@carillon/core";
import type { NewTask, NewWorkflow, Page, SettledDependencies, Store, WorkflowRecord, WorkflowTask } from "../store.ts";
import { admitKinds } from "./create.ts";
import { type MemoryDatabase, setOf, type TaskRow } from "./database.ts";
import { reopen } from "./dependencies.ts";
import { insertTask, reviveTask } from "./rows.ts";

export function createWorkflow(
  database: MemoryDatabase,
  workflow: NewWorkflow,
  tasks: NewTask[],
  now: number,
): WorkflowRecord {
  if (!database.workflows.has(workflow.id)) {
    admitKinds(database, tasks);
    database.workflows.set(workflow.id, {
      ...workflow,
      state: "running",
      stopping: null,
      cancelRequestedAt: null,
      reason: null,
      total: tasks.length,
      open: tasks.length,
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      skipped: 0,
      createdAt: now,
      finishedAt: null,
      tasks: tasks.map((task) => ({ id: task.id, key: task.workflow!.key })),
      stopped: false,
    });
    for (const task of tasks) {
      insertTask(database, task);
      for (const parent of task.after ?? []) setOf(database.children, parent).add(task.id);
    }
  }
  return getWorkflow(database, workflow.namespace, workflow.id)!;
}

export function getWorkflow(database: MemoryDatabase, namespace: string, id: Id): WorkflowRecord | null {
  const found = database.workflows.get(id);
  if (found?.namespace !== namespace) return null;
  const { tasks: _, stopped: _stopped, ...record } = found;
  return record;
}

export function listWorkflows(
  database: MemoryDatabase,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Page<WorkflowRecord> {
  const rows = [...database.workflows.keys()]
    .filter((id) => after === null || id < BigInt(after))
    .sort((a, b) => (a > b ? -1 : 1))
    .flatMap((id) => getWorkflow(database, namespace, id) ?? []);
  const items = rows.slice(0, pageSize);
  return { items, next: rows.length > pageSize ? String(items.at(-1)!.id) : null };
}

export function workflowTasks(database: MemoryDatabase, namespace: string, id: Id): WorkflowTask[] {
  const found = database.workflows.get(id);
  if (found?.namespace !== namespace) return [];
  return found.tasks.map((member) => ({ ...member, task: shown(rowOf(database, member.id)) }));
}

export const rowOf = (database: MemoryDatabase, id: Id) => database.tasks.get(id) ?? database.archive.get(id);

function shown(row: TaskRow | undefined): WorkflowTask["task"] {
  if (!row) return null;
  const { lane, state, reason, dueAt, startedAt, finishedAt, attempt, failures, after, when, error } = row;
  const { type, queue } = lane;
  return {
    type,
    queue,
    state,
    reason,
    dueAt,
    startedAt,
    finishedAt,
    attempt,
    failures,
    after: [...after],
    when,
    error,
  };
}

export function cancelWorkflow(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  { reason, now }: { reason: string | null; now: number },
): Awaited<ReturnType<Store["cancelWorkflow"]>> {
  const found = database.workflows.get(id);
  if (found?.namespace !== namespace) return { kind: "not_found" };
  if (found.state === "running" && found.cancelRequestedAt === null)
    Object.assign(found, { stopping: "cancel", reason, cancelRequestedAt: now });
  const workflow = getWorkflow(database, namespace, id)!;
  return { kind: workflow.cancelRequestedAt !== null ? "done" : "final", workflow };
}

export function retryWorkflow(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  { from, now }: { from: string[] | null; now: number },
): Awaited<ReturnType<Store["retryWorkflow"]>> {
  const found = database.workflows.get(id);
  if (found?.namespace !== namespace) return { kind: "not_found" };
  if (found.stopping !== null) return { kind: "stopping", workflow: getWorkflow(database, namespace, id)! };
  const keys = new Map(found.tasks.map((member) => [member.id, member.key]));
  const byKey = new Map(found.tasks.map((member) => [member.key, member.id]));
  const unknown = from?.find((key) => !byKey.has(key));
  if (unknown !== undefined) return { kind: "unknown_key", key: unknown };
  const nodes = found.tasks.map((member) => {
    const row = rowOf(database, member.id);
    return {
      key: member.key,
      after: row?.after.map((parent) => keys.get(parent)!) ?? [],
      when: row?.when ?? ("all" as const),
      state: row?.state ?? null,
    };
  });
  const retried: (SettledDependencies["released"][0] & { blocked: boolean })[] = [];
  for (const { key, pending, waitsFor } of retriedNodes(nodes, from)) {
    const row = database.archive.get(byKey.get(key)!)!;
    const { state } = row;
    if (reviveTask(database, row, now, pending)) reopen(database, id, [state]);
    else reopen(database, id, []);
    for (const parent of row.after) database.children.get(parent)?.delete(row.id);
    for (const parent of waitsFor) setOf(database.children, byKey.get(parent)!).add(row.id);
    retried.push({ id: row.id, lane: row.lane, priority: row.priority, dueAt: now, blocked: pending > 0 });
  }
  return {
    kind: "done",
    workflow: getWorkflow(database, namespace, id)!,
    retried: retried
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id: task, lane, priority, blocked }) => ({ id: task, lane, priority, blocked })),
  };
}
