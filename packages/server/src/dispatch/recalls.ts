/** Tasks that somebody wants back from this node: cancelled, or returned so that they can be changed. */
import type { Id } from "@carillon/core";
import { sendCancel } from "./gate.ts";
import type { Hand } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Returns } from "./returns.ts";

/** Without a token: whatever attempt is here. */
export type RecallTask = (task: { id: Id; token?: bigint }, what: "cancel" | "return", reason: string | null) => void;

/** The session's renewals repeat a recall until the store has our answer, so doing it twice changes nothing. */
export function createRecall(
  { clock }: DispatcherOptions,
  { hand, returns, markRunning }: { hand: Hand; returns: Returns; markRunning: (id: Id) => void },
): RecallTask {
  return ({ id, token }, what, reason) => {
    const held = hand.tasks.get(id);
    if (!held || (token !== undefined && held.claimed.token !== token)) return;
    if (what === "cancel") held.cancel = { reason };
    if (held.phase === "ahead" || held.phase === "ready") {
      // The store turns the return of a task that was to be cancelled into its end.
      void returns.giveBack([held]);
    } else if (held.phase === "assigned" && what === "return") {
      // Too late; the next try reads `running`.
      markRunning(id);
    } else if (held.phase === "assigned" && held.stop?.why !== "cancelled" && held.worker) {
      held.stop = { why: "cancelled", at: clock.monotonic() };
      sendCancel(held.worker, held.claimed, reason);
    }
  };
}
