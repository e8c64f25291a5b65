/** What was asked for all tasks of a filter goes on, a page at a time, on whichever node comes first. */
import { bulkPage } from "../operations/bulk.ts";
import type { Deps } from "../operations/deps.ts";

const PAUSE_MS = 1_000;
/** Between two pages, so that others have their turn at the store. */
const PAGE_MS = 5;
/** A page takes less; whoever holds one for longer is dead. */
const HOLD_MS = 60_000;

/** @param stopping ends the page that is under way */
export function bulkRound(deps: Deps, stopping: AbortSignal): () => Promise<number> {
  const { store, clock } = deps;
  return async () => {
    const now = clock.now();
    const [operation] = stopping.aborted
      ? []
      : await store.takeOperations({ kind: "bulk", now, until: now + HOLD_MS, limit: 1 });
    if (!operation) return PAUSE_MS;
    const { error, ...page } = await bulkPage(deps, operation, stopping);
    await store.moveOperation(operation.id, page, clock.now());
    if (error !== undefined) throw error;
    return PAGE_MS;
  };
}
