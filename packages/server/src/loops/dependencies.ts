/**
 * Tells ends of tasks to those that wait for them. Every node does; the store gives each end to one of them at a time. The node where a task
 * ends is woken by its own store and tells at once; what it leaves behind others find within a second.
 */
import type { Id } from "@carillon/core";
import type { Store } from "@carillon/store";
import type { CreatedTask } from "../dispatch/demand.ts";
import type { DispatcherOptions } from "../dispatch/options.ts";

const POLL_MS = 1_000;
const PAGE = 500;
/** Somebody else is at what is left. */
const TAKEN_MS = 25;

export function dependencyRound(
  options: Pick<DispatcherOptions, "clock" | "metrics" | "feed" | "session"> & {
    store: Pick<Store, "settleDependencies" | "hints">;
    noticeCreated: (tasks: readonly CreatedTask[]) => void;
    recall: (task: { id: Id }, what: "cancel", reason: string | null) => void;
  },
): () => Promise<number> {
  const { store, clock, metrics, feed, session, noticeCreated, recall } = options;
  return async () => {
    // What was due before counts as due from now on, which a clock that is not known must not say.
    if (!clock.certain()) return POLL_MS;
    const now = clock.now();
    const { released, ended, recalled, more } = await store.settleDependencies({ now, limit: PAGE });
    if (released.length > 0) noticeCreated(released.map(({ lane, priority, dueAt }) => ({ ...lane, priority, dueAt })));
    for (const { id, lane, dueAt } of released)
      feed.taskChanged(id, lane.namespace, dueAt > now ? "scheduled" : "queued");
    for (const { id, lane, state } of ended) {
      metrics.taskEnded(lane, state, null);
      feed.taskChanged(id, lane.namespace, state);
    }
    const elsewhere = new Set(recalled.flatMap(({ session: holder }) => (holder === session.id ? [] : [holder])));
    if (elsewhere.size > 0) store.hints.publish({ recall: [...elsewhere] });
    for (const { id, session: holder, reason } of recalled) if (holder === session.id) recall({ id }, "cancel", reason);
    if (!more) return POLL_MS;
    return released.length + ended.length + recalled.length > 0 ? 0 : TAKEN_MS;
  };
}
