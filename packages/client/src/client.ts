import { delay } from "@carillon/core/clock";
import { CarillonError } from "@carillon/core/errors";
import { type ChangeEvent, readEvents } from "./events.ts";
import { type Fetch, type HttpOptions, request } from "./http.ts";
import { processClock } from "./process-clock.ts";
import { SchedulesClient } from "./schedules-client.ts";
import { TasksClient } from "./tasks-client.ts";

const DEFAULT_URL = "http://127.0.0.1:7070";

export interface CarillonOptions {
  /** Address of a node, or several to fall back to. Default `CARILLON_URL`, else `http://127.0.0.1:7070`. */
  url?: string | string[];
  /** Default `CARILLON_API_KEY`. */
  apiKey?: string;
  /** Default the platform's. */
  fetch?: Fetch;
}

/** A client of the REST API. Needs nothing but `fetch`: it runs in Node, Bun, Deno and on the edge. */
export class Carillon {
  readonly tasks: TasksClient;
  readonly schedules: SchedulesClient;
  readonly #http: HttpOptions;

  constructor(options: CarillonOptions = {}) {
    const environment = typeof process === "undefined" ? {} : process.env;
    this.#http = {
      urls: [options.url ?? environment.CARILLON_URL ?? DEFAULT_URL].flat(),
      apiKey: options.apiKey ?? environment.CARILLON_API_KEY ?? null,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    };
    this.tasks = new TasksClient(this.#http);
    this.schedules = new SchedulesClient(this.#http);
  }

  /** What changes on any node, as it happens: a display feed, thinned out under load. Reconnects until the signal fires. */
  async *events({
    topics = ["tasks", "schedules"],
    signal,
  }: {
    topics?: string[];
    signal?: AbortSignal;
  } = {}): AsyncGenerator<ChangeEvent> {
    for (let failures = 0; !signal?.aborted; ) {
      try {
        for await (const { event, data } of readEvents(
          this.#http,
          `/api/v1/events?topics=${topics.join(",")}`,
          signal,
        )) {
          failures = 0;
          if (event === "reset") yield { kind: "reset" };
          else if (event === "change") yield { kind: "change", ...JSON.parse(data) };
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (failures >= 5) throw CarillonError.from(error);
      }
      failures++;
      await delay(processClock(), 200 * 2 ** failures, signal);
    }
  }

  /** True when the node can serve: database reachable, migrated, not draining. */
  async ready(): Promise<boolean> {
    return request(this.#http, { method: "GET", path: "/readyz" }).then(
      () => true,
      () => false,
    );
  }
}
