import { delay } from "@carillon/core/clock";
import { CarillonError } from "@carillon/core/errors";
import { TaskFailedError, WaitTimeoutError } from "./errors.ts";
import { followEvents } from "./events.ts";
import { exchange, type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import { processClock } from "./process-clock.ts";
import { durationMs, type RetryOptions } from "./retry-options.ts";
import { type AnyTask, checkPayload, type TaskDefinition } from "./task.ts";
import type {
  AfterCondition,
  AttemptInfo,
  Broadcast,
  Explanation,
  FailureList,
  FoundLogLine,
  LogLine,
  Operation,
  Page,
  Task,
  TaskState,
  TaskSummary,
} from "./types.ts";

const LONGEST_WAIT_MS = 30_000;
/** A node that is leaving answers a waiting request at once. */
const SHORTEST_WAIT_MS = 200;

export interface CreateOptions {
  /** When: a delay from now, or an instant. Default now. */
  delay?: string;
  dueAt?: Date | string;
  /** 1 urgent … 9 idle; default 5. */
  priority?: number;
  queue?: string;
  /** At most one task that is not final per key. */
  uniqueKey?: string;
  uniquePolicy?: "keep" | "replace" | "reject";
  /** Also counts one that is final and was created with such a window, such as `1h`, that is not over. */
  uniqueFor?: string;
  /** Its queue may limit how many tasks of one key run at once, and how many start. */
  concurrencyKey?: string;
  /** Tasks of different keys take turns, however many of one key wait. */
  fairKey?: string;
  retry?: RetryOptions;
  timeout?: string;
  /** Skipped unless it has started so long after it was first due, such as `5m`. Default: it waits. */
  startWithin?: string;
  /** Aborted and failed unless it is final so long after it was first due, such as `1h`. Default: it takes its time. */
  finishWithin?: string;
  tags?: string[];
  /** Only a worker with all these labels runs it, at most 8; every worker has the label `worker`, with its name. */
  requires?: Record<string, string>;
  /** Tasks that come first, up to 1,000: their ids, or what `create` answered. */
  after?: (string | { id: string })[];
  /** Which ends of theirs it waits for; default `all` succeed. When that can no longer come true, it is skipped. */
  when?: AfterCondition;
  /** The same key and request give the same answer for 24 h. Default: a new one for each call. */
  idempotencyKey?: string;
}

/** What a task that is done again has otherwise than the first one. */
export type ReplayOptions = Omit<CreateOptions, "uniqueKey" | "uniquePolicy" | "uniqueFor" | "after" | "when"> & {
  payload?: unknown;
};

/** As for a task; `retry` is one attempt and `startWithin` one minute by default. */
export type BroadcastOptions = Pick<
  CreateOptions,
  "queue" | "priority" | "retry" | "timeout" | "startWithin" | "tags" | "requires" | "idempotencyKey"
>;

export interface TaskListQuery {
  state?: TaskState | TaskState[];
  type?: string | string[];
  queue?: string | string[];
  schedule?: string;
  /** Id of the workflow that they belong to. */
  workflow?: string;
  tag?: string;
  /** A part of the type, payload or error, or a task id. */
  q?: string;
  /** Created at or after. */
  from?: Date | string;
  /** Created before. */
  to?: Date | string;
  /** 1 … 200; default 50. */
  pageSize?: number;
  pageToken?: string;
}

/** Which lines of a log. */
export interface LogQuery {
  /** This level and those above it. */
  level?: LogLine["level"];
  /** A part of the message. */
  q?: string;
}

/** Lines of which tasks. */
export interface LogSearchQuery extends LogQuery, Omit<TaskListQuery, "q"> {}

/** Which tasks something is done to. */
export interface BulkFilter extends Omit<TaskListQuery, "pageSize" | "pageToken"> {
  /** Those that failed of this (`failures`). */
  fingerprint?: string;
}

/** What is done to all tasks of a filter; those in whose state it has nothing to do are not meant. */
export type BulkAction = "cancel" | "retry" | "run-now" | { priority: number };

/** A task that was created: watch it, wait for it, call it off. */
export class TaskHandle<Result = unknown> {
  readonly id: string;
  /** False when a task with the same unique key was there already. */
  readonly created: boolean;
  readonly #tasks: TasksClient;

  constructor(tasks: TasksClient, id: string, created: boolean) {
    this.#tasks = tasks;
    this.id = id;
    this.created = created;
  }

  get(): Promise<Task<unknown, Result>> {
    return this.#tasks.get(this.id) as Promise<Task<unknown, Result>>;
  }

  /** The result once it has succeeded. `TaskFailedError` for every other end, `WaitTimeoutError` when it takes longer than the timeout. */
  async result({ timeout, signal }: { timeout?: string; signal?: AbortSignal } = {}): Promise<Result> {
    const task = await this.#tasks.wait(this.id, {
      ...(timeout === undefined ? {} : { timeout }),
      ...(signal ? { signal } : {}),
    });
    if (task.state !== "succeeded") throw new TaskFailedError(task);
    return task.result as Result;
  }

  cancel(options: { reason?: string } = {}): Promise<Task> {
    return this.#tasks.cancel(this.id, options);
  }
}

export class TasksClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** By definition (payload typed and checked) or by type name. */
  async create<Payload, Result>(
    type: TaskDefinition<Payload, Result> | string,
    payload?: Payload,
    { idempotencyKey, ...options }: CreateOptions = {},
  ): Promise<TaskHandle<Result>> {
    const body = await taskBody(type, payload, options);
    const { local } = this.#http;
    if (local && idempotencyKey === undefined) {
      const { id, created } = await local.createTask(body);
      return new TaskHandle<Result>(this, id, created);
    }
    const headers = { "idempotency-key": idempotencyKey ?? crypto.randomUUID() };
    const { status, body: task } = await exchange<Task>(this.#http, {
      method: "POST",
      path: "/api/v1/tasks",
      body,
      headers,
    });
    return new TaskHandle<Result>(this, task.id, status === 202);
  }

  /** All or nothing, up to 10,000; answers in the order sent. Payloads that do not fit are named by their place, the first hundred. */
  async createMany<Payload>(
    type: TaskDefinition<Payload> | string,
    tasks: ({ payload?: Payload } & Omit<CreateOptions, "idempotencyKey">)[],
    { idempotencyKey }: { idempotencyKey?: string } = {},
  ): Promise<{ id: string; created: boolean }[]> {
    const body = { tasks: await taskBodies(type, tasks) };
    const { local } = this.#http;
    if (local && idempotencyKey === undefined) return local.createTasks(body);
    const headers = { "idempotency-key": idempotencyKey ?? crypto.randomUUID() };
    const answer = await request<{ tasks: { id: string; created: boolean }[] }>(this.#http, {
      method: "POST",
      path: "/api/v1/tasks:batch",
      body,
      headers,
    });
    return answer.tasks;
  }

  /** Once on every worker that is connected now, runs this type and has the labels: a task each, which all have the answer's tag. */
  async broadcast<Payload>(
    type: TaskDefinition<Payload> | string,
    payload?: Payload,
    { idempotencyKey, ...options }: BroadcastOptions = {},
  ): Promise<Broadcast> {
    const body = await taskBody(type, payload, options);
    // What a definition says about retries is meant for tasks that run anywhere.
    const { retry } = options;
    return request(this.#http, {
      method: "POST",
      path: "/api/v1/tasks:broadcast",
      body: { ...body, retry },
      headers: { "idempotency-key": idempotencyKey ?? crypto.randomUUID() },
    });
  }

  get(id: string): Promise<Task> {
    return request(this.#http, { method: "GET", path: this.#path(id) });
  }

  /** One page, newest created first. */
  async list({ state, type, queue, from, to, ...query }: TaskListQuery = {}): Promise<Page<TaskSummary>> {
    const answer = await request<{ tasks: TaskSummary[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/tasks",
      query: {
        ...query,
        state: joined(state),
        type: joined(type),
        queue: joined(queue),
        from: instantText(from),
        to: instantText(to),
      },
    });
    return { items: answer.tasks, nextPageToken: answer.nextPageToken };
  }

  /** Every task of the list, page after page: `for await (const task of carillon.tasks.listAll({ state: "failed" }))`. */
  listAll(query: TaskListQuery = {}): AsyncGenerator<TaskSummary> {
    return eachItem((page: TaskListQuery) => this.list(page), query);
  }

  /** The task once it is final; `WaitTimeoutError` when that takes longer than the timeout. Without one it waits for ever. */
  async wait(id: string, { timeout, signal }: { timeout?: string; signal?: AbortSignal } = {}): Promise<Task> {
    const endAt =
      clock.monotonic() + (timeout === undefined ? Number.POSITIVE_INFINITY : durationMs(timeout, "/timeout"));
    for (;;) {
      const askedAt = clock.monotonic();
      const waitMs = Math.round(Math.max(0, Math.min(LONGEST_WAIT_MS, endAt - askedAt)));
      const task = await request<Task>(this.#http, {
        method: "GET",
        path: this.#path(id),
        query: { wait: `${waitMs}ms` },
        signal,
      });
      if (finalStates.has(task.state)) return task;
      const now = clock.monotonic();
      if (now >= endAt) throw new WaitTimeoutError(id);
      await delay(clock, Math.min(endAt, askedAt + SHORTEST_WAIT_MS) - now, signal);
    }
  }

  cancel(id: string, body: { reason?: string } = {}): Promise<Task> {
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:cancel`, body });
  }

  /** A failed, cancelled or skipped task is due again now, with a fresh budget of attempts. */
  retry(id: string): Promise<Task> {
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:retry` });
  }

  /**
   * A new task that does again what this one did: what `changes` leave out is as it was, but for its unique key, workflow, schedule and
   * `after`, which the new one has none of. Due now. In whatever state the other one is, which stays as it is.
   */
  replay(id: string, { idempotencyKey, ...changes }: ReplayOptions = {}): Promise<Task> {
    return request(this.#http, {
      method: "POST",
      path: `${this.#path(id)}:replay`,
      body: changes,
      headers: { "idempotency-key": idempotencyKey ?? crypto.randomUUID() },
    });
  }

  runNow(id: string): Promise<Task> {
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:run-now` });
  }

  /** While it is not running. */
  patch(
    id: string,
    body: { priority?: number; dueAt?: Date | string; payload?: unknown; queue?: string },
  ): Promise<Task> {
    return request(this.#http, { method: "PATCH", path: this.#path(id), body });
  }

  /**
   * Does this to all tasks that match, in the background, the newest first: the answer counts them (`carillon.operations.get`). An empty
   * filter matches every task; those that are made later are not meant.
   */
  bulk(
    filter: BulkFilter,
    action: BulkAction,
    { idempotencyKey, reason }: { reason?: string; idempotencyKey?: string } = {},
  ): Promise<Operation> {
    const headers = { "idempotency-key": idempotencyKey ?? crypto.randomUUID() };
    return request(this.#http, {
      method: "POST",
      path: "/api/v1/tasks:bulk",
      body: { filter, action, reason },
      headers,
    });
  }

  /** What tasks fail of, the most frequent first, among the newest 10,000 that failed. */
  failures({
    type,
    queue,
    from,
    to,
    ...query
  }: Pick<TaskListQuery, "type" | "queue" | "schedule" | "tag" | "from" | "to"> = {}): Promise<FailureList> {
    return request(this.#http, {
      method: "GET",
      path: "/api/v1/failures",
      query: { ...query, type: joined(type), queue: joined(queue), from: instantText(from), to: instantText(to) },
    });
  }

  /** How many that would be now, counted up to 10,000 (`capped`: there may be more). */
  countForBulk(filter: BulkFilter, action: BulkAction): Promise<{ matched: number; capped: boolean }> {
    return request(this.#http, { method: "POST", path: "/api/v1/tasks:bulk", body: { filter, action, dryRun: true } });
  }

  /** Forgets a final task. */
  async delete(id: string): Promise<void> {
    await request(this.#http, { method: "DELETE", path: this.#path(id) });
  }

  /** Why it does not run, or what became of it. */
  explain(id: string): Promise<Explanation> {
    return request(this.#http, { method: "GET", path: `${this.#path(id)}/explain` });
  }

  async attempts(id: string): Promise<AttemptInfo[]> {
    const answer = await request<{ attempts: AttemptInfo[] }>(this.#http, {
      method: "GET",
      path: `${this.#path(id)}/attempts`,
    });
    return answer.attempts;
  }

  async logs(id: string, query: LogQuery & { pageSize?: number; pageToken?: string } = {}): Promise<Page<LogLine>> {
    const answer = await request<{ logs: LogLine[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: `${this.#path(id)}/logs`,
      query: { ...query },
    });
    return { items: answer.logs, nextPageToken: answer.nextPageToken };
  }

  /**
   * Lines of many tasks, those of the newest tasks first, of each the first 20. A page may be short, or empty, and not be the last:
   * `for await (const line of carillon.tasks.searchAllLogs({ q: "customer 42", level: "warn" }))` reads them all.
   */
  async searchLogs({ state, type, queue, from, to, ...query }: LogSearchQuery = {}): Promise<Page<FoundLogLine>> {
    const answer = await request<{ logs: FoundLogLine[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/logs",
      query: {
        ...query,
        state: joined(state),
        type: joined(type),
        queue: joined(queue),
        from: instantText(from),
        to: instantText(to),
      },
    });
    return { items: answer.logs, nextPageToken: answer.nextPageToken };
  }

  searchAllLogs(query: LogSearchQuery = {}): AsyncGenerator<FoundLogLine> {
    return eachItem((page: LogSearchQuery) => this.searchLogs(page), query);
  }

  /** Every line from the first on and as they come, until the task is final, or the signal fires. */
  async *followLogs(
    id: string,
    { signal, ...filter }: LogQuery & { signal?: AbortSignal } = {},
  ): AsyncGenerator<LogLine> {
    const path = `${this.#path(id)}/logs`;
    for await (const { event, data } of followEvents(this.#http, path, { query: { follow: "1", ...filter }, signal })) {
      if (event === "end") return;
      yield JSON.parse(data) as LogLine;
    }
  }

  #path(id: string): string {
    return `/api/v1/tasks/${encodeURIComponent(id)}`;
  }
}

const clock = processClock();
const finalStates: ReadonlySet<TaskState> = new Set(["succeeded", "failed", "cancelled", "skipped"]);

const joined = (value: string | string[] | undefined): string | undefined =>
  value === undefined ? undefined : [value].flat().join(",");

export const instantText = (at: Date | string | undefined): string | undefined =>
  at instanceof Date ? at.toISOString() : at;

const MAX_ERRORS = 100;

async function taskBodies(
  type: AnyTask | string,
  tasks: ({ payload?: unknown } & Omit<CreateOptions, "idempotencyKey">)[],
) {
  const settled = await Promise.allSettled(
    tasks.map(({ payload, ...options }, index) => taskBody(type, payload, options, `/tasks/${index}/payload`)),
  );
  const refusals = settled.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
  const errors = refusals.flatMap((refusal) => {
    if (!CarillonError.is(refusal)) throw refusal; // The schema itself is broken.
    return refusal.errors;
  });
  if (refusals.length > 0) {
    const detail = errors[0] ? `${errors[0].pointer}: ${errors[0].message}` : "invalid payload";
    throw new CarillonError("invalid_request", { detail, errors: errors.slice(0, MAX_ERRORS) });
  }
  return settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}

/** What a definition says goes along with each create; the call's own options win. */
export async function taskBody(
  type: AnyTask | string,
  payload: unknown,
  { after, ...others }: Omit<CreateOptions, "idempotencyKey">,
  pointer = "/payload",
) {
  const options = after
    ? { ...others, after: after.map((task) => (typeof task === "string" ? task : task.id)) }
    : others;
  if (typeof type === "string") return { type, payload, ...options };
  await checkPayload(type.schema, payload, pointer);
  const { queue, retry, timeout } = type;
  return { type: type.type, payload, ...present({ queue, retry, timeout }), ...options };
}

/** Without the fields that were left out. */
function present<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
