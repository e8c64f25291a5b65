import type { CalendarOptions } from "./calendars-client.ts";
import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import type { RetryOptions } from "./retry-options.ts";
import { type AnyTask, checkPayload, type TaskDefinition } from "./task.ts";
import { instantText } from "./tasks-client.ts";
import type {
  CronDialect,
  Explanation,
  Fire,
  FixedDelay,
  Operation,
  OverlapPolicy,
  Page,
  RuleSource,
  Schedule,
  ScheduleLoad,
  SchedulePreview,
  ScheduleStats,
  Task,
} from "./types.ts";

/** Exactly one of `cron`, `every`, `rrule` and `rules`. */
export interface RuleOptions extends Omit<RuleSource, "at" | "every"> {
  every?: string | FixedDelay | undefined;
  /** It fires whenever one of these does. */
  rules?: RuleSource[];
  /** IANA name; default `UTC`. */
  timeZone?: string;
  dst?: { gap?: "next" | "skip" | "shift"; overlap?: "first" | "second" | "both" };
  dialect?: CronDialect;
  jitter?: string;
  startAt?: Date | string;
  endAt?: Date | string;
  maxFires?: number;
  /** Names of calendars; fires that one of them covers are skipped. */
  excludes?: string[];
  /** Names of calendars; fires that none of them covers are skipped. */
  includes?: string[];
  /** Instead of being skipped, such a fire goes to the next or previous day on which calendars leave the same time of the day. */
  roll?: "none" | "next" | "previous";
}

export interface ScheduleTask {
  type: string;
  payload?: unknown;
  queue?: string;
  priority?: number;
  retry?: RetryOptions;
  timeout?: string;
  /** A task that has not started so long after it was due is skipped. */
  startWithin?: string;
  /** A task that is not final so long after it was due is aborted and has failed. */
  finishWithin?: string;
  /** Its queue may limit how many tasks of one key run at once, and how many start. */
  concurrencyKey?: string;
  /** Tasks of different keys take turns, however many of one key wait. */
  fairKey?: string;
  tags?: string[];
  /** Only workers with all these labels run its tasks. */
  requires?: Record<string, string>;
}

export interface ScheduleOptions<Payload = unknown> extends RuleOptions {
  /** A definition (then `payload` stands beside it) or the whole template. */
  task: TaskDefinition<Payload> | AnyTask | ScheduleTask;
  payload?: Payload;
  catchUp?: { policy?: "skip" | "last" | "all"; window?: string; limit?: number };
  /** What happens to a fire while other tasks of the schedule are not final. */
  overlap?: OverlapPolicy;
  /** Pause it when so many of its tasks in a row have failed, 1 to 1,000; null: never. */
  pauseAfterFailures?: number | null;
  paused?: boolean;
}

export interface ScheduleListQuery {
  /** A part of the name or of the task type. */
  q?: string;
  pageSize?: number;
  pageToken?: string;
}

export interface FireListQuery {
  from?: Date | string;
  to?: Date | string;
  outcome?: Fire["outcome"];
  pageSize?: number;
  pageToken?: string;
}

export interface BackfillOptions {
  /** `from <= fire < to`; `to` is at most now. */
  from: Date | string;
  to: Date | string;
  overlap?: "allow";
}

export class SchedulesClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** Creates it or replaces its definition; an equal one changes nothing. `dryRun`: answers how it would be, and stores nothing. */
  async put<Payload>(
    name: string,
    options: ScheduleOptions<Payload>,
    { dryRun = false }: { dryRun?: boolean } = {},
  ): Promise<Schedule> {
    const query = dryRun ? { dryRun: "1" } : {};
    return request(this.#http, { method: "PUT", path: this.#path(name), query, body: await scheduleBody(options) });
  }

  /** Only if there is none of this name. */
  async create<Payload>(name: string, options: ScheduleOptions<Payload>): Promise<Schedule> {
    const body = { name, ...(await scheduleBody(options)) };
    const headers = { "idempotency-key": crypto.randomUUID() };
    return request(this.#http, { method: "POST", path: "/api/v1/schedules", body, headers });
  }

  get(name: string): Promise<Schedule> {
    return request(this.#http, { method: "GET", path: this.#path(name) });
  }

  /** One page, by name. */
  async list(query: ScheduleListQuery = {}): Promise<Page<Schedule>> {
    const answer = await request<{ schedules: Schedule[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/schedules",
      query: { ...query },
    });
    return { items: answer.schedules, nextPageToken: answer.nextPageToken };
  }

  /** Every schedule, page after page. */
  listAll(query: ScheduleListQuery = {}): AsyncGenerator<Schedule> {
    return eachItem((page: ScheduleListQuery) => this.list(page), query);
  }

  /** JSON merge patch: what is left out stays, null goes back to the default. */
  patch(name: string, body: Record<string, unknown>): Promise<Schedule> {
    return request(this.#http, { method: "PATCH", path: this.#path(name), body });
  }

  async delete(name: string): Promise<void> {
    await request(this.#http, { method: "DELETE", path: this.#path(name) });
  }

  /** Its fires are skipped until it is resumed, or until that instant. */
  pause(name: string, { reason, until }: { reason?: string; until?: Date | string } = {}): Promise<Schedule> {
    const body = { reason, until: instantText(until) };
    return request(this.#http, { method: "POST", path: `${this.#path(name)}:pause`, body });
  }

  resume(name: string): Promise<Schedule> {
    return request(this.#http, { method: "POST", path: `${this.#path(name)}:resume` });
  }

  /** A task now, beside the schedule's fires. */
  trigger(name: string, body: { payload?: unknown } = {}): Promise<Task> {
    const headers = { "idempotency-key": crypto.randomUUID() };
    return request(this.#http, { method: "POST", path: `${this.#path(name)}:trigger`, body, headers });
  }

  /** In the background: a task for each past fire of the range that has none. See `operations` for how far it is. */
  backfill(name: string, { from, to, ...options }: BackfillOptions): Promise<Operation> {
    const body = { ...options, from: instantText(from), to: instantText(to) };
    const headers = { "idempotency-key": crypto.randomUUID() };
    return request(this.#http, { method: "POST", path: `${this.#path(name)}:backfill`, body, headers });
  }

  /**
   * `name`: of the schedule that it is for, where `H` is spread by it. `calendars`: as they would be, by name, in place of those that are
   * stored.
   */
  preview(
    rule: RuleOptions & {
      name?: string;
      from?: Date | string;
      count?: number;
      calendars?: Record<string, CalendarOptions>;
    },
  ): Promise<SchedulePreview> {
    return request(this.#http, { method: "POST", path: "/api/v1/schedules:preview", body: rule });
  }

  /** Oldest first; without a range the last 24 h and the next 10. */
  async fires(name: string, { from, to, ...query }: FireListQuery = {}): Promise<Page<Fire>> {
    const answer = await request<{ fires: Fire[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: `${this.#path(name)}/fires`,
      query: { ...query, from: instantText(from), to: instantText(to) },
    });
    return { items: answer.fires, nextPageToken: answer.nextPageToken };
  }

  /** How it has done in a window that ends now (default `24h`), or in a range. */
  stats(
    name: string,
    { from, to, ...query }: { window?: string; from?: Date | string; to?: Date | string } = {},
  ): Promise<ScheduleStats> {
    return request(this.#http, {
      method: "GET",
      path: `${this.#path(name)}/stats`,
      query: { ...query, from: instantText(from), to: instantText(to) },
    });
  }

  /** Why it fired as it did at this instant, or what will happen then; without one, about its next fire. */
  explain(name: string, { at }: { at?: Date | string } = {}): Promise<Explanation> {
    return request(this.#http, {
      method: "GET",
      path: `${this.#path(name)}/explain`,
      query: { at: instantText(at) },
    });
  }

  /** How many fires of all schedules come, step by step: by default the next 24 h by the minute. */
  load(range: { from?: Date | string; to?: Date | string; step?: string } = {}): Promise<ScheduleLoad> {
    const { from, to, step } = range;
    return request(this.#http, {
      method: "GET",
      path: "/api/v1/schedules:load",
      query: { from: instantText(from), to: instantText(to), step },
    });
  }

  #path(name: string): string {
    return `/api/v1/schedules/${encodeURIComponent(name)}`;
  }
}

async function scheduleBody({
  task,
  payload,
  ...options
}: ScheduleOptions<never> | ScheduleOptions): Promise<Record<string, unknown>> {
  if (!("run" in task)) return { ...options, task: payload === undefined ? task : { ...task, payload } };
  await checkPayload(task.schema, payload);
  const { type, queue, retry, timeout } = task;
  return { ...options, task: { type, payload, queue, retry, timeout } };
}
