import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import type { Page, Queue, QueueStats } from "./types.ts";

/** So many may start in that time (`1s`, `1m`), evenly. */
export interface RateLimitOptions {
  limit: number;
  per: string;
  /** So many may start at once after a pause; default `limit`. */
  burst?: number | undefined;
}

export interface BreakerOptions {
  /** So many failures in a row open it, 1 … 20; default 5. */
  failures?: number | undefined;
  /** How long nothing is tried at first, then twice as long each time, up to `5m`; default `5s`. */
  openFor?: string | undefined;
  /** How many tasks of a key run at once follows how fast and how well they end. Default false. */
  adaptive?: boolean | undefined;
}

/** What a queue allows, over all nodes and workers; what is left out has no limit. */
export interface QueueOptions {
  /** Tasks that run at once. */
  concurrency?: number | undefined;
  /** Tasks of one `concurrencyKey` that run at once; 1 makes the key a mutex. */
  concurrencyPerKey?: number | undefined;
  /** Tasks of each of these types that run at once. */
  concurrencyPerType?: Record<string, number> | undefined;
  /** How fast tasks start. */
  rateLimit?: RateLimitOptions | undefined;
  /** How fast tasks of one `concurrencyKey` start. */
  rateLimitPerKey?: RateLimitOptions | undefined;
  /** Tasks that are not final; creates over it are refused (`backlog_full`). */
  maxBacklog?: number | undefined;
  /** Tasks of a `concurrencyKey` wait, without losing attempts, while those before them fail; those without a key are together. */
  breaker?: BreakerOptions | undefined;
  /** How much of what starts tasks of these keys (`fairKey`) have, 1 to 100; those of other keys have 1. */
  fairWeights?: Record<string, number> | undefined;
  /** Nothing starts. As it is when left out. */
  paused?: boolean | undefined;
}

export interface QueueListQuery {
  pageSize?: number;
  pageToken?: string;
}

/** Queues exist by being used: one that nobody has set anything on has no limits, and version 0. */
export class QueuesClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  get(name: string): Promise<Queue> {
    return request(this.#http, { method: "GET", path: this.#path(name) });
  }

  /** One page, by name: those that tasks were created in, and those that something was set on. */
  async list(query: QueueListQuery = {}): Promise<Page<Queue>> {
    const answer = await request<{ queues: Queue[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/queues",
      query: { ...query },
    });
    return { items: answer.queues, nextPageToken: answer.nextPageToken };
  }

  /** Every queue, page after page. */
  listAll(query: QueueListQuery = {}): AsyncGenerator<Queue> {
    return eachItem((page: QueueListQuery) => this.list(page), query);
  }

  /** Sets what it allows; an equal one changes nothing. `version`: only if it is still this one (`version_mismatch`). */
  put(name: string, options: QueueOptions, { version }: { version?: number } = {}): Promise<Queue> {
    return request(this.#http, { method: "PUT", path: this.#path(name), body: options, headers: ifMatch(version) });
  }

  /** JSON merge patch: what is left out stays, null is no limit. */
  patch(name: string, body: Record<string, unknown>, { version }: { version?: number } = {}): Promise<Queue> {
    return request(this.#http, { method: "PATCH", path: this.#path(name), body, headers: ifMatch(version) });
  }

  /** Nothing starts in it until it is resumed; what runs goes on, and new tasks wait. */
  pause(name: string, { reason }: { reason?: string } = {}): Promise<Queue> {
    return request(this.#http, { method: "POST", path: `${this.#path(name)}:pause`, body: { reason } });
  }

  resume(name: string): Promise<Queue> {
    return request(this.#http, { method: "POST", path: `${this.#path(name)}:resume` });
  }

  /** What waits in it and how fast it moves, over all nodes. Zeros for one that was never used. */
  stats(name: string): Promise<QueueStats> {
    return request(this.#http, { method: "GET", path: `${this.#path(name)}/stats` });
  }

  #path(name: string): string {
    return `/api/v1/queues/${encodeURIComponent(name)}`;
  }
}

const ifMatch = (version: number | undefined): Record<string, string> =>
  version === undefined ? {} : { "if-match": `"${version}"` };
