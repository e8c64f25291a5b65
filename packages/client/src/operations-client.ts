import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import type { Operation, Page } from "./types.ts";

export interface OperationListQuery {
  pageSize?: number;
  pageToken?: string;
}

/** What goes on in the background: the backfills of schedules, and what is done to many tasks at once. */
export class OperationsClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  get(id: string): Promise<Operation> {
    return request(this.#http, { method: "GET", path: this.#path(id) });
  }

  /** One page, newest first. */
  async list(query: OperationListQuery = {}): Promise<Page<Operation>> {
    const answer = await request<{ operations: Operation[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/operations",
      query: { ...query },
    });
    return { items: answer.operations, nextPageToken: answer.nextPageToken };
  }

  /** Every operation, page after page. */
  listAll(query: OperationListQuery = {}): AsyncGenerator<Operation> {
    return eachItem((page: OperationListQuery) => this.list(page), query);
  }

  /** It stops where it is; what it has done stays. */
  cancel(id: string): Promise<Operation> {
    return request(this.#http, { method: "POST", path: `${this.#path(id)}:cancel` });
  }

  #path(id: string): string {
    return `/api/v1/operations/${encodeURIComponent(id)}`;
  }
}
