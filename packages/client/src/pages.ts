import type { Page } from "./types.ts";

/** Every item of a list, page after page, read when they are asked for. */
export async function* eachItem<Item, Query extends { pageToken?: string }>(
  readPage: (query: Query) => Promise<Page<Item>>,
  query: Query,
): AsyncGenerator<Item> {
  for (let next = query; ; ) {
    const { items, nextPageToken } = await readPage(next);
    yield* items;
    if (nextPageToken === null) return;
    next = { ...query, pageToken: nextPageToken };
  }
}
