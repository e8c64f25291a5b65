/** What is done to all tasks that a filter shows, in the background. */
import { queryOptions } from "@tanstack/react-query";
import { request } from "./http.ts";
import type { TaskFilter, TaskState, TaskVerb } from "./tasks.ts";

export interface BulkFilter extends TaskFilter {
  /** Those that failed of this. */
  fingerprint?: string;
}

export interface Operation {
  id: string;
  action: string | null;
  state: "running" | "done" | "cancelled";
  matched: number;
  done: number;
  skipped: number;
  failed: number;
}

const LOOK_MS = 1_000;

/** Where each verb finds something to do: as the server's `operations/bulk.ts` narrows the filter. */
const concerned: Record<TaskVerb, readonly TaskState[]> = {
  retry: ["failed", "cancelled", "skipped"],
  "run-now": ["scheduled", "retrying"],
  cancel: ["blocked", "scheduled", "queued", "running", "retrying"],
};

/** Those that would find something among tasks in these states; none given: in any. */
export function bulkVerbs(states: readonly TaskState[]): TaskVerb[] {
  const verbs = Object.keys(concerned) as TaskVerb[];
  return verbs.filter((verb) => states.length === 0 || states.some((state) => concerned[verb].includes(state)));
}

export function countBulk(filter: BulkFilter, action: TaskVerb): Promise<{ matched: number; capped: boolean }> {
  const body = { filter: filterBody(filter), action, dryRun: true };
  return request("POST", "/tasks:bulk", { body, readOnly: true });
}

export function beginBulk(filter: BulkFilter, action: TaskVerb, idempotencyKey: string): Promise<Operation> {
  const headers = { "idempotency-key": idempotencyKey };
  return request("POST", "/tasks:bulk", { body: { filter: filterBody(filter), action }, headers });
}

export function stopOperation(id: string): Promise<Operation> {
  return request("POST", `${operationPath(id)}:cancel`, { body: {} });
}

export function operationQuery(id: string) {
  return queryOptions({
    queryKey: ["operation", id],
    queryFn: ({ signal }) => request<Operation>("GET", operationPath(id), { signal }),
    refetchInterval: ({ state: { data } }) => (data === undefined || data.state === "running" ? LOOK_MS : false),
  });
}

const operationPath = (id: string) => `/operations/${encodeURIComponent(id)}`;

function filterBody({ states, text, type, queue, schedule, workflow, tag, fingerprint }: BulkFilter) {
  return {
    fingerprint,
    type,
    queue,
    schedule,
    workflow,
    tag,
    q: text,
    state: states.length === 0 ? undefined : states,
  };
}
