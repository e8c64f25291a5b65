import { invalid } from "@carillon/core/errors";
import { CalendarsClient } from "./calendars-client.ts";
import { type ChangeEvent, followEvents } from "./events.ts";
import { type Fetch, type HttpOptions, type LocalCalls, open, request } from "./http.ts";
import { OperationsClient } from "./operations-client.ts";
import { QueuesClient } from "./queues-client.ts";
import { SchedulesClient } from "./schedules-client.ts";
import { TargetsClient } from "./targets-client.ts";
import { TasksClient } from "./tasks-client.ts";
import type { Lateness, Stats } from "./types.ts";
import { WorkersClient } from "./workers-client.ts";
import { WorkflowsClient } from "./workflows-client.ts";

const DEFAULT_URL = "http://127.0.0.1:7070";
const READY_TIMEOUT_MS = 5_000;

export interface CarillonOptions {
  /** Address of a node, or several to fall back to. Default `CARILLON_URL`, else `http://127.0.0.1:7070`. */
  url?: string | string[];
  /** Default `CARILLON_API_KEY`. */
  apiKey?: string;
  /** Default the platform's. */
  fetch?: Fetch;
  /** Of the client that `startNode` gives: what it does without a request. */
  local?: LocalCalls;
}

/** A client of the REST API. Needs nothing but `fetch`: it runs in Node, Bun, Deno and on the edge. */
export class Carillon {
  readonly tasks: TasksClient;
  readonly workflows: WorkflowsClient;
  readonly schedules: SchedulesClient;
  readonly calendars: CalendarsClient;
  readonly targets: TargetsClient;
  readonly operations: OperationsClient;
  readonly queues: QueuesClient;
  readonly workers: WorkersClient;
  readonly #http: HttpOptions;

  constructor(options: CarillonOptions = {}) {
    const environment = typeof process === "undefined" ? {} : process.env;
    const urls = [options.url ?? environment.CARILLON_URL ?? DEFAULT_URL].flat();
    for (const url of urls)
      if (!/^https?:/.test(url) || !URL.canParse(url))
        throw invalid("/url", "invalid_url", `"${url}" is no http or https URL`);
    if (urls.length === 0) throw invalid("/url", "required", "a client needs the address of a node");
    this.#http = {
      urls,
      apiKey: options.apiKey ?? environment.CARILLON_API_KEY ?? null,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      local: options.local,
    };
    this.tasks = new TasksClient(this.#http);
    this.workflows = new WorkflowsClient(this.#http);
    this.schedules = new SchedulesClient(this.#http);
    this.calendars = new CalendarsClient(this.#http);
    this.targets = new TargetsClient(this.#http);
    this.operations = new OperationsClient(this.#http);
    this.queues = new QueuesClient(this.#http);
    this.workers = new WorkersClient(this.#http);
  }

  /** What waits and moves in all queues, how many nodes and workers there are, and what new time zone data changed. */
  stats(): Promise<Stats> {
    return request(this.#http, { method: "GET", path: "/api/v1/stats" });
  }

  /** How late tasks start, by queue, in a window that ends now (default `1h`, up to `24h`). */
  lateness(query: { window?: string; queue?: string } = {}): Promise<Lateness> {
    return request(this.#http, { method: "GET", path: "/api/v1/lateness", query: { ...query } });
  }

  /**
   * What changes on any node, as it happens: a display feed, thinned out under load. Reconnects until the signal fires; `unavailable` when
   * no node could be reached in the first place.
   */
  async *events({
    topics = ["tasks", "schedules", "queues"],
    signal,
  }: {
    topics?: string[];
    signal?: AbortSignal;
  } = {}): AsyncGenerator<ChangeEvent> {
    const query = { topics: topics.join(",") };
    for await (const { event, data } of followEvents(this.#http, "/api/v1/events", { query, signal })) {
      if (event === "reset") yield { kind: "reset" };
      else if (event === "change") yield { kind: "change", ...JSON.parse(data) };
    }
  }

  /** True when a node can serve now: database reachable, migrated, not draining. Asks once. */
  async ready(): Promise<boolean> {
    try {
      const call = { method: "GET", path: "/readyz", accept: "application/json" } as const;
      const response = await open(this.#http, call, undefined, AbortSignal.timeout(READY_TIMEOUT_MS));
      await response.text();
      return true;
    } catch {
      return false;
    }
  }
}
