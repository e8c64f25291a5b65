/**
 * Gives tasks back that have not started: pending again at their instant, nothing counted. A return that fails is not repeated here: the
 * store then lists a lease that memory does not know, and reconciliation gives it back.
 */
import { bandOf } from "@carillon/store";
import type { Demand } from "./demand.ts";
import { forget, type Hand, type HeldTask } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

export interface Returns {
  giveBack(tasks: HeldTask[]): Promise<void>;
}

export function createReturns(
  { store, clock, feed, log, session, scheduledEnded }: DispatcherOptions,
  { hand, demand, slotFreed }: { hand: Hand; demand: Demand; slotFreed: (held: HeldTask) => void },
): Returns {
  return {
    async giveBack(tasks) {
      const returned = tasks.filter((held) => held.phase === "ahead" || held.phase === "ready");
      for (const held of returned) forget(hand, held);
      const { id } = session;
      if (returned.length === 0 || id === null) return;
      const refs = returned.map(({ claimed }) => ({ id: claimed.id, token: claimed.token }));
      let given: Set<bigint>;
      try {
        given = new Set(await store.giveBack(id, refs));
      } catch (error) {
        log.warn({ error, tasks: refs.length }, "could not give tasks back yet");
        return;
      }
      for (const held of returned) slotFreed(held);
      const pending = returned.filter(({ claimed, cancel }) => given.has(claimed.id) && !cancel);
      for (const { claimed } of pending) demand.notice(claimed.lane, bandOf(claimed.priority), claimed.dueAt);
      demand.created(
        pending.map(({ claimed: { lane, priority, dueAt } }) => ({ ...lane, priority, dueAt })),
        clock.now(),
      );
      for (const { claimed, cancel } of returned) {
        if (!cancel || !given.has(claimed.id)) continue;
        feed.taskChanged(claimed.id, claimed.lane.namespace, "cancelled");
        if (claimed.scheduleId !== null) scheduledEnded?.(claimed.scheduleId);
      }
    },
  };
}
