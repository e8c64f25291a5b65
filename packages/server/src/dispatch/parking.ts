/** Tasks that wait for their targets in the store: on their way there, and on their way back. */
import type { CreatedTask } from "./demand.ts";
import { forget, type Hand, type HeldTask } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import { forgetEnded, mostOf, type Target } from "./target-book.ts";

/** So many go on at a time where nothing but slots and limits says how many may. */
const RELEASED_AT_ONCE = 1_000;

export interface Parking {
  /** With all others of this turn, in one statement. */
  park(held: HeldTask, target: Target, reason: string): void;
  /** As many of those that wait go on as may call it now. */
  release(target: Target): void;
  /** So many, whatever is known of it. */
  releaseSome(target: Target, limit: number): Promise<number>;
}

export function createParking(
  { store, clock, log, session, ids }: Pick<DispatcherOptions, "store" | "clock" | "log" | "session" | "ids">,
  {
    hand,
    noticeCreated,
    slotFreed,
    wake,
  }: {
    hand: Hand;
    noticeCreated: (tasks: readonly CreatedTask[]) => void;
    /** A slot of its queue's limits, if it has any. */
    slotFreed: (held: HeldTask) => void;
    /** Some target is to be looked at again. */
    wake: () => void;
  },
): Parking {
  let parking: { held: HeldTask; target: Target; reason: string }[] = [];

  async function send(): Promise<void> {
    const parked = parking;
    parking = [];
    const { id } = session;
    if (id === null) return;
    const tasks = parked.map(({ held: { claimed }, target: { namespace, name, ...target }, reason }) => ({
      ...{ id: claimed.id, token: claimed.token, reason },
      target: { id: target.id ?? ids.next(clock.now()), namespace, name },
    }));
    try {
      await store.parkTasks(id, tasks, clock.now());
      for (const { held, target } of parked) {
        slotFreed(held);
        release(target);
      }
    } catch (error) {
      // Reconciliation gives them back.
      log.warn({ error, tasks: tasks.length }, "could not let tasks wait for their targets");
    }
  }

  function release(target: Target): void {
    if (!target.waiting || target.releasing || target.state !== "closed") return;
    forgetEnded(target);
    const free = Math.min(RELEASED_AT_ONCE, mostOf(target) - target.calls.size);
    if (free <= 0) return;
    if (target.id === null) {
      wake(); // The round finds it out.
      return;
    }
    target.releasing = true;
    void releaseSome(target, free)
      .then((released) => {
        target.waiting &&= released === free;
        if (target.waiting && !target.breaker.adaptive) wake();
      })
      .catch((error: unknown) => log.warn({ error, target: target.name }, "could not let waiting tasks go on"))
      .finally(() => {
        target.releasing = false;
      });
  }

  async function releaseSome({ id }: Target, limit: number): Promise<number> {
    const released = await store.releaseParked({ target: id!, limit, now: clock.now() });
    noticeCreated(released.map(({ lane, priority, dueAt }) => ({ ...lane, priority, dueAt })));
    return released.length;
  }

  return {
    park(held, target, reason) {
      forget(hand, held);
      target.waiting = true;
      parking.push({ held, target, reason });
      if (parking.length === 1) clock.after(0, () => void send());
    },
    release,
    releaseSome,
  };
}
