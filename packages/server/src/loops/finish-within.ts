/** As deadlines for ends come near, what waits becomes more urgent; once they are over, it fails. What is claimed is its holder's to stop. */
import type { Store } from "@carillon/store";
import type { CreatedTask } from "../dispatch/demand.ts";
import type { DispatcherOptions } from "../dispatch/options.ts";

const PAUSE_MS = 1_000;
const PAGE = 1_000;

export function finishWithinRound({
  store,
  clock,
  metrics,
  feed,
  noticeCreated,
}: Pick<DispatcherOptions, "clock" | "metrics" | "feed"> & {
  store: Pick<Store, "watchDeadlines">;
  noticeCreated: (tasks: readonly CreatedTask[]) => void;
}): () => Promise<number> {
  return async () => {
    if (!clock.certain()) return PAUSE_MS;
    const { failed, raised, more } = await store.watchDeadlines({ now: clock.now(), limit: PAGE });
    for (const { id, lane } of failed) {
      metrics.taskEnded(lane, "failed", null);
      feed.taskChanged(id, lane.namespace, "failed");
    }
    if (raised.length > 0) {
      noticeCreated(raised.map(({ lane, ...task }) => ({ ...lane, ...task })));
    }
    return more ? 0 : PAUSE_MS;
  };
}
