/**
 * Compares what the store says this session holds with what memory says. They differ after an answer was lost, or after another node
 * adopted or took back a task.
 */
import type { Id } from "@carillon/core";
import type { Adoption } from "./adoption.ts";
import { CLAIM_ANSWER_MS } from "./claims.ts";
import { findHeld, forget, type Hand } from "./hand.ts";
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
    for (const held of known) {
      const { id: taskId, token } = held.claimed;
      if (held.phase === "ending" || held.phase === "gone" || leased.get(taskId) === token || adoption.has(taskId))
        continue;
      if (held.phase === "assigned") held.worker?.link.send({ kind: "lost", tasks: [{ id: taskId, token }] });
      forget(hand, held);
    }

    // A claim whose answer is on its way looks like this too, but no answer is used that is older than the time between two comparisons.
    const unknown = leases.filter((ref) => !findHeld(hand, ref.id, ref.token) && !adoption.has(ref.id));
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
