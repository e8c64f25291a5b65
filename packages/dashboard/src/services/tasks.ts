import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./http.ts";

export const taskStates = [
  "blocked",
  "scheduled",
  "queued",
  "running",
  "retrying",
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
] as const;
export type TaskState = (typeof taskStates)[number];

/** As lists show it; instants are RFC 3339 texts. */
export interface TaskSummary {
  id: string;
  type: string;
  queue: string;
  state: TaskState;
  reason: string | null;
  priority: number;
  createdAt: string;
  dueAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  latenessMs: number | null;
  attempt: number;
  maxAttempts: number;
  lost: number;
  error: TaskError | null;
  /** Null: its handler has not said. */
  progress: { fraction: number; message: string | null } | null;
  timeout: string | null;
  finishWithin: string | null;
  trigger: string;
  schedule: string | null;
  fireAt: string | null;
  workflow: string | null;
  workflowKey: string | null;
  after: string[];
  uniqueKey: string | null;
  concurrencyKey: string | null;
  fairKey: string | null;
  replayOf: string | null;
  tags: string[];
  requires: Record<string, string>;
  worker: string | null;
  cancelRequestedAt: string | null;
}

export interface Task extends TaskSummary {
  retry: Record<string, unknown>;
  payload: unknown;
  result: unknown;
}

export interface TaskError {
  code: string;
  name: string | null;
  message: string;
  stack?: string | null;
}

export interface Attempt {
  number: number;
  worker: string | null;
  node: string | null;
  dueAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  latenessMs: number | null;
  outcome: string;
  error: TaskError | null;
}

export interface TaskFilter {
  states: readonly TaskState[];
  type?: string | undefined;
  queue?: string | undefined;
  schedule?: string | undefined;
  workflow?: string | undefined;
  tag?: string | undefined;
  /** Part of the type, payload or error, or an id. */
  text?: string | undefined;
  pageToken?: string | undefined;
}

export interface NewTask {
  type: string;
  payload?: unknown;
  queue?: string;
  dueAt?: string;
  delay?: string;
  priority?: number;
  tags?: string[];
  requires?: Record<string, string>;
  retry?: Record<string, unknown>;
  timeout?: string;
}

export function isFinal(state: TaskState): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled" || state === "skipped";
}

export function tasksQuery(filter: TaskFilter) {
  const path = `/tasks${query({
    state: filter.states.join(","),
    type: filter.type,
    queue: filter.queue,
    schedule: filter.schedule,
    workflow: filter.workflow,
    tag: filter.tag,
    q: filter.text,
    pageToken: filter.pageToken,
  })}`;
  return queryOptions({
    queryKey: ["tasks", path],
    queryFn: ({ signal }) => request<{ tasks: TaskSummary[]; nextPageToken: string | null }>("GET", path, { signal }),
  });
}

export function taskQuery(id: string) {
  return queryOptions({
    queryKey: ["task", id],
    queryFn: ({ signal }) => request<Task>("GET", taskPath(id), { signal }),
  });
}

export function attemptsQuery(id: string) {
  return queryOptions({
    queryKey: ["task", id, "attempts"],
    queryFn: ({ signal }) =>
      request<{ attempts: Attempt[] }>("GET", `${taskPath(id)}/attempts?pageSize=200`, { signal }),
  });
}

/** Why it does not run. Read again with the task. */
export function explanationQuery(id: string) {
  return queryOptions({
    queryKey: ["task", id, "explanation"],
    queryFn: ({ signal }) => request<{ summary: string }>("GET", `${taskPath(id)}/explain`, { signal }),
  });
}

/** What workers declared, for completion while typing. */
export function typesQuery() {
  return queryOptions({
    queryKey: ["types"],
    queryFn: ({ signal }) => request<{ types: { type: string; queue: string | null }[] }>("GET", "/types", { signal }),
    retry: false,
  });
}

export function createTask(task: NewTask, idempotencyKey: string): Promise<Task> {
  return request("POST", "/tasks", { body: task, headers: { "idempotency-key": idempotencyKey } });
}

/** Does it again with this payload; null: with none. */
export function replayTask(id: string, payload: unknown, idempotencyKey: string): Promise<Task> {
  return request("POST", `${taskPath(id)}:replay`, {
    body: { payload },
    headers: { "idempotency-key": idempotencyKey },
  });
}

/** The request that makes another task like this one, due now. */
export function likeTask(task: Task): NewTask {
  return {
    type: task.type,
    queue: task.queue,
    priority: task.priority,
    ...(task.payload === null ? {} : { payload: task.payload }),
    ...(task.tags.length === 0 ? {} : { tags: task.tags }),
    ...(Object.keys(task.requires).length === 0 ? {} : { requires: task.requires }),
    retry: task.retry,
    ...(task.timeout === null ? {} : { timeout: task.timeout }),
  };
}

export type TaskVerb = "cancel" | "retry" | "run-now";

export function changeTask(id: string, verb: TaskVerb): Promise<Task> {
  return request("POST", `${taskPath(id)}:${verb}`, { body: {} });
}

/** The verbs that would change something about a task in this state. */
export function verbsFor(task: Pick<TaskSummary, "state" | "cancelRequestedAt">): TaskVerb[] {
  switch (task.state) {
    case "scheduled":
    case "retrying":
      return ["run-now", "cancel"];
    case "running":
      return task.cancelRequestedAt === null ? ["cancel"] : [];
    case "blocked":
    case "queued":
      return ["cancel"];
    case "failed":
    case "cancelled":
    case "skipped":
      return ["retry"];
    default:
      return [];
  }
}

export function taskPath(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}
