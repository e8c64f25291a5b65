/** Tasks that somebody wants back from this node: cancelled, or returned so that they can be changed. */
import type { Recall } from "@carillon/store";
import { sendCancel } from "./gate.ts";
import { findHeld, type Hand } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Returns } from "./returns.ts";

/** The session's renewals repeat a recall until the store has our answer, so doing it twice changes nothing. */
export function createRecalls(
  { clock }: DispatcherOptions,
  { hand, returns, markRunning }: { hand: Hand; returns: Returns; markRunning: (ids: bigint[]) => void },
): { recall(recalls: readonly Recall[]): void } {
  return {
    recall(recalls) {
      for (const { id, token, what, reason } of recalls) {
        const held = findHeld(hand, id, token);
        if (!held) continue;
        if (what === "cancel") held.cancel = { reason };
        if (held.phase === "ahead" || held.phase === "ready") {
          // The store turns the return of a task that was to be cancelled into its end.
          void returns.giveBack([held]);
        } else if (held.phase === "assigned" && what === "return") {
          // Too late; the next try reads `running`.
          markRunning([id]);
        } else if (held.phase === "assigned" && held.stop?.why !== "cancelled" && held.worker) {
          held.stop = { why: "cancelled", at: clock.monotonic() };
          sendCancel(held.worker, { id, token }, reason);
        }
      }
    },
  };
}
