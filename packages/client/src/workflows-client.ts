import { delay } from "@carillon/core/clock";
import { CarillonError } from "@carillon/core/errors";
import { WaitTimeoutError } from "./errors.ts";
import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import { processClock } from "./process-clock.ts";
import { durationMs } from "./retry-options.ts";
import type { AnyTask } from "./task.ts";
import { type CreateOptions, taskBody } from "./tasks-client.ts";
import type { Page, Workflow, WorkflowSummary } from "./types.ts";

/** A task of a workflow; what is left out is as in `tasks.create`. */
export interface WorkflowTaskOptions
  extends Omit<CreateOptions, "after" | "uniqueKey" | "uniquePolicy" | "uniqueFor" | "idempotencyKey"> {
  /** Its name in the workflow; letters, digits, dots, dashes, underscores. */
  key: string;
  /** A definition, whose schema checks the payload, or the name of a type. */
  type: AnyTask | string;
  payload?: unknown;
  /** Keys of tasks of this workflow that come first, up to 1,000. */
  after?: string[];
}

export interface WorkflowOptions {
  name: string;
  /**
   * `stop` (default): once a task has failed, those that have not started are skipped, but for what waits for failures or for any end, and
   * what comes after it. `continue`: only what comes after it and asks for success is.
   */
  onFailure?: "stop" | "continue";
  /** Up to 10,000, in any order. */
  tasks: WorkflowTaskOptions[];
  /** The same key and request give the same answer for 24 h. Default: a new one for each call. */
  idempotencyKey?: string;
}

export interface WorkflowAddOptions {
  /**
   * Key of the task that adds them, usually one that runs (`context.workflow.key`): what comes after it in the workflow, and has not been told
   * of its end, then comes after each of these as well.
   */
  parent?: string;
  /** In any order; `after` may also name tasks that the workflow has. One whose key it has is left out: the first one stays as it is. */
  tasks: WorkflowTaskOptions[];
}

export interface WorkflowListQuery {
  pageSize?: number;
  pageToken?: string;
}

/** Between looks, growing: a graph may be large. */
const POLL_MS = [100, 2_000] as const;

/** Tasks that come after one another, submitted together. */
export class WorkflowsClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** All or nothing. Keys that no task has, and cycles, are refused. */
  async create({ idempotencyKey, tasks, ...options }: WorkflowOptions): Promise<WorkflowSummary> {
    return request(this.#http, {
      method: "POST",
      path: "/api/v1/workflows",
      body: { ...options, tasks: await bodiesOf(tasks) },
      headers: { "idempotency-key": idempotencyKey ?? crypto.randomUUID() },
    });
  }

  /**
   * Tasks join a workflow that runs, all or none. May be repeated, as by another attempt of the task that adds them: what the workflow has is
   * added no second time. `workflow_final` once it has ended or is being cancelled.
   */
  async add(id: string, { tasks, ...options }: WorkflowAddOptions): Promise<WorkflowSummary> {
    const body = { ...options, tasks: await bodiesOf(tasks) };
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:add`, body });
  }

  /** With the graph and the states of its tasks. */
  get(id: string): Promise<Workflow> {
    return request(this.#http, { method: "GET", path: this.#path(id) });
  }

  /** One page, newest created first. */
  async list(query: WorkflowListQuery = {}): Promise<Page<WorkflowSummary>> {
    const answer = await request<{ workflows: WorkflowSummary[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/workflows",
      query: { ...query },
    });
    return { items: answer.workflows, nextPageToken: answer.nextPageToken };
  }

  /** Every workflow, page after page. */
  listAll(query: WorkflowListQuery = {}): AsyncGenerator<WorkflowSummary> {
    return eachItem((page: WorkflowListQuery) => this.list(page), query);
  }

  /** The workflow once all of its tasks are final; `WaitTimeoutError` when that takes longer than the timeout. Without one it waits for ever. */
  async wait(id: string, { timeout, signal }: { timeout?: string; signal?: AbortSignal } = {}): Promise<Workflow> {
    const endAt =
      clock.monotonic() + (timeout === undefined ? Number.POSITIVE_INFINITY : durationMs(timeout, "/timeout"));
    for (let pauseMs: number = POLL_MS[0]; ; pauseMs = Math.min(POLL_MS[1], 2 * pauseMs)) {
      const workflow = await this.get(id);
      if (workflow.state !== "running") return workflow;
      const leftMs = endAt - clock.monotonic();
      if (leftMs <= 0) throw new WaitTimeoutError(id);
      await delay(clock, Math.min(pauseMs, leftMs), signal);
      if (signal?.aborted) throw new CarillonError("unavailable", { detail: "The wait was given up." });
    }
  }

  /** In the background: its tasks are cancelled, those that run are told to stop. */
  cancel(id: string, body: { reason?: string } = {}): Promise<WorkflowSummary> {
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:cancel`, body });
  }

  /**
   * What failed, was cancelled or was skipped runs again, in its order; what succeeded keeps its result.
   *
   * @param from only these keys, and what comes after them
   */
  retry(id: string, body: { from?: string[] } = {}): Promise<WorkflowSummary> {
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:retry`, body });
  }

  #path(id: string): string {
    return `/api/v1/workflows/${encodeURIComponent(id)}`;
  }
}

function bodiesOf(tasks: readonly WorkflowTaskOptions[]): Promise<object[]> {
  return Promise.all(
    tasks.map(async ({ key, type, payload, after, ...task }, index) => ({
      key,
      ...(await taskBody(type, payload, task, `/tasks/${index}/payload`)),
      ...(after && { after }),
    })),
  );
}

const clock = processClock();
