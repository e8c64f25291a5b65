/**
 * Backfills go on, a page at a time, on whichever node comes first: the store gives each operation to one of them at a time. At most a
 * quarter of the slots of this node's workers that run the type is under way, so it is at most a quarter of all slots too. A node without
 * such a worker leaves an operation to those that have one, unless none of them came by.
 */
import { backfillWindow, hasLabels, type IdSource, MOST_BACKFILLED, WORKER_LABEL } from "@carillon/core";
import type { BackfillPage, LaneName, OperationRecord, Store } from "@carillon/store";
import type { CreatedTask } from "../dispatch/demand.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { NodeClock } from "../dispatch/options.ts";
import { backfillPage, readBackfillRequest } from "../operations/backfill.ts";

const OPERATIONS_A_ROUND = 10;
/** Between the pages of an operation. */
const PAGE_MS = 100;
const PAUSE_MS = 1_000;
/** So long after its page was due, nobody who runs the type has come by. */
const ABANDONED_MS = 5_000;

export function backfillRound({
  store,
  clock,
  ids,
  dispatcher,
}: {
  store: Pick<Store, "stepBackfills">;
  clock: NodeClock;
  ids: IdSource;
  dispatcher: Pick<Dispatcher, "workers"> & { noticeCreated(tasks: readonly CreatedTask[]): void };
}): () => Promise<number> {
  function slotsFor({ namespace, queue, type, requires = {} }: LaneName): number {
    return dispatcher
      .workers()
      .filter(
        (worker) =>
          worker.namespace === namespace &&
          worker.queues.includes(queue) &&
          worker.types.includes(type) &&
          hasLabels({ ...worker.labels, [WORKER_LABEL]: worker.name }, requires),
      )
      .reduce((sum, { slots }) => sum + slots, 0);
  }

  function plan(operation: OperationRecord, waiting: number, now: number): BackfillPage | null {
    const slots = slotsFor({ namespace: operation.namespace, ...readBackfillRequest(operation).task });
    if (slots === 0 && now - operation.nextAt < ABANDONED_MS) return null;
    const room = backfillWindow(slots) - waiting;
    return { ...backfillPage(operation, { now, room, ids }), nextAt: now + PAGE_MS };
  }

  return async () => {
    if (!clock.certain()) return PAUSE_MS;
    const now = clock.now();
    const request = { now, limit: OPERATIONS_A_ROUND, most: MOST_BACKFILLED };
    const { running, tasks } = await store.stepBackfills(request, (...given) => plan(...given, now));
    if (tasks.length > 0) dispatcher.noticeCreated(tasks);
    return running > 0 ? PAGE_MS : PAUSE_MS;
  };
}
