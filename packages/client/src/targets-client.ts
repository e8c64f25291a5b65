import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import type { Page, Target } from "./types.ts";

export interface TargetListQuery {
  pageSize?: number;
  pageToken?: string;
}

/** What tasks call and had trouble: breakers, and how many tasks wait. */
export class TargetsClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** One page, by name. */
  async list(query: TargetListQuery = {}): Promise<Page<Target>> {
    const answer = await request<{ targets: Target[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/targets",
      query: { ...query },
    });
    return { items: answer.targets, nextPageToken: answer.nextPageToken };
  }

  /** Every target, page after page. */
  listAll(query: TargetListQuery = {}): AsyncGenerator<Target> {
    return eachItem((page: TargetListQuery) => this.list(page), query);
  }
}
