import { type HttpOptions, request } from "./http.ts";
import type { QueueStats } from "./types.ts";

export class QueuesClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** What waits in it and how fast it moves, over all nodes. Zeros for one that was never used. */
  stats(name: string): Promise<QueueStats> {
    return request(this.#http, { method: "GET", path: `/api/v1/queues/${encodeURIComponent(name)}/stats` });
  }
}
