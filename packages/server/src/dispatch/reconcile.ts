/**
 * Compares what the store says this session holds with what memory says. They differ after an answer was lost, or after another node
 * adopted or took back a task. The lease of what a connected worker runs is asked for again: it may be with a node that the worker only
 * passed through. If the task has a newer token by now, its worker hears that it is lost.
 */
import type { Id } from "@carillon/core";
import type { Adoption } from "./adoption.ts";
import { CLAIM_ANSWER_MS } from "./claims.ts";
import { findHeld, forget, type Hand, type HeldTask, refKey } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

export function createReconciliation(
  { store, clock, session, log }: DispatcherOptions,
  { hand, adoption }: { hand: Hand; adoption: Adoption },
): () => Promise<void> {
  /** Leases that memory did not know at the last comparison. */
  let suspicious = new Map<Id, bigint>();
  let comparedAt = Number.NEGATIVE_INFINITY;

  return async function reconcile() {
    const { id } = session;
    if (id === null) return;
    const known = [...hand.tasks.values()];
    const startedAt = clock.monotonic();
    const leases = await store.leases(id);
    if (session.id !== id) return;

    const leased = new Map(leases.map((ref) => [ref.id, ref.token]));
    const adopting = adoption.pending();
    const isElsewhere = ({ phase, claimed }: HeldTask) =>
      phase !== "ending" &&
      phase !== "gone" &&
      leased.get(claimed.id) !== claimed.token &&
      !adopting.has(refKey(claimed));
    for (const held of known.filter(isElsewhere)) {
      if (held.phase === "assigned" && held.worker?.state === "open") adoption.presentAgain(held.worker, [held]);
      else forget(hand, held);
    }

    // A claim whose answer is on its way looks like this too, but no answer is used that is older than the time between two comparisons.
    const unknown = leases.filter((ref) => !findHeld(hand, ref.id, ref.token) && !adopting.has(refKey(ref)));
    const lost = unknown.filter((ref) => suspicious.get(ref.id) === ref.token);
    const certain = startedAt - comparedAt > CLAIM_ANSWER_MS;
    if (certain && lost.length > 0) {
      await store.giveBack(id, lost);
      log.warn({ tasks: lost.length }, "gave back tasks whose claim was never answered");
    }
    if (certain || comparedAt === Number.NEGATIVE_INFINITY) {
      suspicious = new Map(unknown.map((ref) => [ref.id, ref.token]));
      comparedAt = clock.monotonic();
    }
  };
}
