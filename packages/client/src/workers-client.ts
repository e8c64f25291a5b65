import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import type { Page, WorkerInfo } from "./types.ts";

export interface WorkerListQuery {
  pageSize?: number;
  pageToken?: string;
}

/** Workers that are connected to any node. */
export class WorkersClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** One page, by name. */
  async list(query: WorkerListQuery = {}): Promise<Page<WorkerInfo>> {
    const answer = await request<{ workers: WorkerInfo[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/workers",
      query: { ...query },
    });
    return { items: answer.workers, nextPageToken: answer.nextPageToken };
  }

  /** Every worker, page after page. */
  listAll(query: WorkerListQuery = {}): AsyncGenerator<WorkerInfo> {
    return eachItem((page: WorkerListQuery) => this.list(page), query);
  }
}
