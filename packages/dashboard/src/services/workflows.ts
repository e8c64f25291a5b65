import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./http.ts";
import type { TaskError, TaskState } from "./tasks.ts";

export interface WorkflowSummary {
  id: string;
  name: string;
  state: "running" | "succeeded" | "failed" | "cancelled";
  onFailure: string;
  reason: string | null;
  counts: { total: number; open: number; succeeded: number; failed: number; cancelled: number; skipped: number };
  createdAt: string;
  finishedAt: string | null;
  cancelRequestedAt: string | null;
}

/** Its state is null when it is forgotten. */
export interface WorkflowTask {
  key: string;
  id: string;
  type: string | null;
  state: TaskState | null;
  reason: string | null;
  /** Keys. */
  after: string[];
  when: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  attempt: number;
  error: TaskError | null;
}

export interface Workflow extends WorkflowSummary {
  tasks: WorkflowTask[];
}

export function workflowsQuery(pageToken?: string) {
  const path = `/workflows${query({ pageToken })}`;
  return queryOptions({
    queryKey: ["workflows", path],
    queryFn: ({ signal }) =>
      request<{ workflows: WorkflowSummary[]; nextPageToken: string | null }>("GET", path, { signal }),
  });
}

export function workflowQuery(id: string) {
  return queryOptions({
    queryKey: ["workflow", id],
    queryFn: ({ signal }) => request<Workflow>("GET", workflowPath(id), { signal }),
  });
}

export type WorkflowVerb = "cancel" | "retry";

export function changeWorkflow(id: string, verb: WorkflowVerb): Promise<WorkflowSummary> {
  return request("POST", `${workflowPath(id)}:${verb}`, { body: {} });
}

/** The verbs that would change something about it. */
export function workflowVerbs({ state, counts, cancelRequestedAt }: WorkflowSummary): WorkflowVerb[] {
  const ended = counts.failed + counts.cancelled + counts.skipped;
  const verbs: WorkflowVerb[] = [];
  if (ended > 0 && cancelRequestedAt === null) verbs.push("retry");
  if (state === "cancelled") verbs.push("retry");
  if (state === "running" && cancelRequestedAt === null) verbs.push("cancel");
  return [...new Set(verbs)];
}

function workflowPath(id: string): string {
  return `/workflows/${encodeURIComponent(id)}`;
}
