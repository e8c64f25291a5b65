/** Workflows: tasks that come after one another, submitted, looked at, cancelled and run again together. */
import {
  CarillonError,
  formatId,
  formatInstant,
  graphProblems,
  type Id,
  invalid,
  limits,
  parseId,
  publicState,
  unstoppable,
} from "@carillon/core";
import type { NewTask, WorkflowRecord, WorkflowTask } from "@carillon/store";
import { fieldsInvalid } from "../http/field-errors.ts";
import type {
  CreateWorkflow,
  ListWorkflows,
  WorkflowAnswer,
  WorkflowSummary,
  WorkflowTaskAnswer,
} from "../http/schemas/workflows.ts";
import { type Deps, IDEMPOTENCY_TTL_MS, type Idempotency } from "./deps.ts";
import { insertTasks } from "./insert-tasks.ts";
import { newTask } from "./new-task.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { checkTargets } from "./targets.ts";

export async function createWorkflow(
  deps: Deps,
  namespace: string,
  input: CreateWorkflow,
  key: Idempotency | null = null,
): Promise<{ workflow: WorkflowSummary; replayed: boolean }> {
  const nodes = input.tasks.map((task) => ({ ...task, after: task.after ?? [], when: task.when ?? ("all" as const) }));
  const problems = graphProblems(nodes);
  if (problems.length > 0) throw fieldsInvalid(problems);
  checkTargets(deps, input.tasks, (index) => `/tasks/${index}/payload`);
  const now = deps.clock.now();
  const { id, replayed } = await idOf(deps, namespace, key, now);
  const known = replayed ? await deps.store.getWorkflow(namespace, id) : null;
  if (known) return { workflow: toSummary(known), replayed };

  const types = await deps.types.of(namespace);
  const ids = new Map(nodes.map((node) => [node.key, deps.ids.next(now)]));
  const always = unstoppable(nodes);
  const tasks = nodes.map(({ after, when, ...node }): NewTask => {
    const facts = { namespace, now, declared: types.get(node.type), trigger: "workflow" as const };
    return {
      ...newTask(node, { ...facts, id: ids.get(node.key)! }),
      ...(after.length > 0 && { after: after.map((parent) => ids.get(parent)!), when }),
      workflow: { id, key: node.key, always: always.has(node.key) },
    };
  });
  const { name, onFailure = "stop" } = input;
  const admission = deps.backlog.admit(tasks);
  if (admission.kind === "refused") throw admission.error;
  let record: WorkflowRecord | null = null;
  try {
    record = await deps.store.createWorkflow({ id, namespace, name, onFailure }, tasks, now);
  } finally {
    admission.settle(record && tasks.map(() => ({ created: true })));
  }
  deps.dispatcher?.noticeCreated(tasks.filter(({ after }) => after === undefined));
  for (const { id: task, after, dueAt } of tasks) {
    const state = after === undefined ? "pending" : "blocked";
    deps.feed.taskChanged(task, namespace, publicState({ state, dueAt, failures: 0 }, now));
  }
  return { workflow: toSummary(record), replayed };
}

/** Remembered first: sent again after a crash in between, the request makes the workflow that it would have made. */
async function idOf(
  deps: Deps,
  namespace: string,
  key: Idempotency | null,
  now: number,
): Promise<{ id: Id; replayed: boolean }> {
  const id = deps.ids.next(now);
  if (!key) return { id, replayed: false };
  const idempotency = { ...key, namespace, response: () => String(id), expiresAt: now + IDEMPOTENCY_TTL_MS };
  const answer = await insertTasks(deps, [], { now, idempotency });
  return answer.kind === "replayed" ? { id: BigInt(answer.response), replayed: true } : { id, replayed: false };
}

export async function getWorkflow(deps: Deps, namespace: string, text: string): Promise<WorkflowAnswer> {
  const id = readWorkflowId(text);
  const [record, tasks] = await Promise.all([
    deps.store.getWorkflow(namespace, id),
    deps.store.workflowTasks(namespace, id),
  ]);
  if (!record) throw workflowNotFound(text);
  const keys = new Map(tasks.map((task) => [task.id, task.key]));
  const now = deps.clock.now();
  return { ...toSummary(record), tasks: tasks.map((task) => toGraphTask(task, keys, now)) };
}

/** Newest first. */
export async function listWorkflows(
  deps: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken }: ListWorkflows,
): Promise<{ workflows: WorkflowSummary[]; nextPageToken: string | null }> {
  const list = ["workflows", namespace];
  const page = await deps.store.listWorkflows(namespace, { pageSize, after: readPageToken(list, pageToken) });
  return { workflows: page.items.map(toSummary), nextPageToken: writePageToken(list, page.next) };
}

/** Its tasks are cancelled in the background; those that run are asked to stop. */
export async function cancelWorkflow(
  deps: Deps,
  namespace: string,
  text: string,
  { reason = null }: { reason?: string | null | undefined } = {},
): Promise<WorkflowSummary> {
  const request = { reason, now: deps.clock.now() };
  const answer = await deps.store.cancelWorkflow(namespace, readWorkflowId(text), request);
  if (answer.kind === "not_found") throw workflowNotFound(text);
  if (answer.kind === "final" && answer.workflow.state !== "cancelled")
    throw new CarillonError("workflow_final", { detail: `The workflow has ended: it has ${answer.workflow.state}.` });
  return toSummary(answer.workflow);
}

/** Tasks that failed, were cancelled or were skipped run again, in their order. */
export async function retryWorkflow(
  deps: Deps,
  namespace: string,
  text: string,
  { from }: { from?: string[] | undefined } = {},
): Promise<WorkflowSummary> {
  const now = deps.clock.now();
  const answer = await deps.store.retryWorkflow(namespace, readWorkflowId(text), { from: from ?? null, now });
  switch (answer.kind) {
    case "not_found":
      throw workflowNotFound(text);
    case "unknown_key":
      throw invalid(`/from/${from!.indexOf(answer.key)}`, "unknown_key", "No task of this workflow has this key.");
    case "stopping":
      throw new CarillonError("unavailable", {
        detail: "The tasks of the workflow are being ended; it can be retried once they are.",
        retryAfterMs: 1_000,
      });
  }
  const due = answer.retried.filter(({ blocked }) => !blocked);
  if (due.length > 0)
    deps.dispatcher?.noticeCreated(due.map(({ lane, priority }) => ({ ...lane, priority, dueAt: now })));
  for (const { id, blocked } of answer.retried) deps.feed.taskChanged(id, namespace, blocked ? "blocked" : "queued");
  return toSummary(answer.workflow);
}

export function readWorkflowId(text: string): Id {
  const id = parseId("workflow", text);
  if (id === null) throw workflowNotFound(text);
  return id;
}

export function workflowNotFound(text: string): CarillonError {
  return new CarillonError("workflow_not_found", { detail: `There is no workflow ${text.slice(0, 64)}.` });
}

const instant = (at: number | null) => (at === null ? null : formatInstant(at));

export function toSummary(record: WorkflowRecord): WorkflowSummary {
  const { total, open, succeeded, failed, cancelled, skipped } = record;
  return {
    id: formatId("workflow", record.id),
    namespace: record.namespace,
    name: record.name,
    state: record.state,
    onFailure: record.onFailure,
    reason: record.reason,
    counts: { total, open, succeeded, failed, cancelled, skipped },
    createdAt: formatInstant(record.createdAt),
    finishedAt: instant(record.finishedAt),
    cancelRequestedAt: instant(record.cancelRequestedAt),
  };
}

function toGraphTask({ id, key, task }: WorkflowTask, keys: ReadonlyMap<Id, string>, now: number): WorkflowTaskAnswer {
  const error = task?.error;
  return {
    key,
    id: formatId("task", id),
    type: task?.type ?? null,
    queue: task?.queue ?? null,
    state: task ? publicState(task, now) : null,
    reason: task?.reason ?? null,
    // One that was added while this was read is left out.
    after: task?.after.flatMap((parent) => keys.get(parent) ?? []) ?? [],
    when: task?.when ?? null,
    dueAt: instant(task?.dueAt ?? null),
    startedAt: instant(task?.startedAt ?? null),
    finishedAt: instant(task?.finishedAt ?? null),
    attempt: task?.attempt ?? 0,
    error: error ? { code: error.code, name: error.name, message: error.message } : null,
  };
}
