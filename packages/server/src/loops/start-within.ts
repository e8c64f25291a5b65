/** Skips what nobody claimed before the deadline of its first start. What is claimed is its holder's to skip. */
import type { Store } from "@carillon/store";
import type { DispatcherOptions } from "../dispatch/options.ts";

const PAUSE_MS = 1_000;
const PAGE = 1_000;

export function startWithinRound({
  store,
  clock,
  metrics,
  feed,
}: Pick<DispatcherOptions, "clock" | "metrics" | "feed"> & {
  store: Pick<Store, "skipUnstarted">;
}): () => Promise<number> {
  return async () => {
    if (!clock.certain()) return PAUSE_MS;
    const skipped = await store.skipUnstarted({ now: clock.now(), limit: PAGE });
    for (const { id, lane } of skipped) {
      metrics.taskEnded(lane, "skipped", null);
      feed.taskChanged(id, lane.namespace, "skipped");
    }
    return skipped.length === PAGE ? 0 : PAUSE_MS;
  };
}
