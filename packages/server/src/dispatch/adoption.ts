/**
 * Tasks that a worker brings along: it ran them for another node, or for a session of this one that is over. Their leases move here, token
 * and attempt stay, so that neither a node's death nor the database's interrupts a healthy worker. An outcome that arrives before the
 * lease has moved waits for it.
 *
 * Leases follow workers: the node to which a worker is connected takes them, from whichever session has them, and asks for them again when
 * it finds that they have gone elsewhere (`reconcile`). A node that a worker merely passed through asks for nothing more.
 */
import type { ReportedOutcome, TaskRef } from "@carillon/client";
import { CarillonError, delay, type Id } from "@carillon/core";
import type { Endings } from "./endings.ts";
import {
  type ConnectedWorker,
  createHeldTask,
  findHeld,
  forget,
  type Hand,
  type HeldTask,
  isSuspect,
  joinWorker,
  LONG_GRACE_MS,
  leaveWorker,
} from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

const RETRY_MS = 250;

interface Presented {
  ref: TaskRef;
  worker: ConnectedWorker;
  outcome: ReportedOutcome | null;
}

export interface Adoption {
  present(worker: ConnectedWorker, refs: readonly TaskRef[]): void;
  /** The same for tasks in memory, whose leases may be somewhere else by now. */
  presentAgain(worker: ConnectedWorker, tasks: readonly HeldTask[]): void;
  /** True if the task of this outcome waits for its adoption; the outcome then waits with it. */
  holdOutcome(worker: ConnectedWorker, outcome: ReportedOutcome): boolean;
  /** Its outcome is being written: there is nothing left to adopt. */
  ended(ref: TaskRef): void;
  has(id: Id): boolean;
  /** A new session is open: whatever still runs is presented anew. */
  renew(): void;
}

export function createAdoption(
  { store, clock, session, log }: DispatcherOptions,
  { hand, endings, changed }: { hand: Hand; endings: Endings; changed: () => void },
): Adoption {
  const presented = new Map<Id, Presented>();
  let running = false;

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    for (;;) {
      for (const entry of presented.values()) if (isOver(entry)) leave(entry);
      if (presented.size === 0) break;
      const { id } = session;
      if (id === null || !(await adopt(id, [...presented.values()]))) await delay(clock, RETRY_MS);
    }
    running = false;
  }

  /** Its worker has gone, and will present it wherever it goes. An outcome that it left here is recorded all the same. */
  const isOver = ({ worker, outcome }: Presented) => worker.state === "gone" && outcome === null;

  function drop(entry: Presented): void {
    presented.delete(entry.ref.id);
    entry.worker.presented--;
  }

  /** What is in memory, with a lease that may be here still, ends with its absent worker as anything else does. */
  function leave(entry: Presented): void {
    drop(entry);
    const known = findHeld(hand, entry.ref.id, entry.ref.token);
    if (known?.phase === "assigned") joinWorker(known, entry.worker);
  }

  /** False: the store did not answer. */
  async function adopt(sessionId: Id, batch: Presented[]): Promise<boolean> {
    try {
      const adopted = await store.adopt(
        sessionId,
        batch.map(({ ref }) => ref),
      );
      if (session.id !== sessionId) return true;
      // Somebody may have marked this session dead, and a dead one adopts nothing: the next renewal tells.
      if (adopted.length < batch.length && !session.safe()) return false;
      const claimedById = new Map(adopted.map((claimed) => [claimed.id, claimed]));
      for (const entry of batch) {
        if (presented.get(entry.ref.id) !== entry) continue;
        drop(entry);
        const claimed = claimedById.get(entry.ref.id);
        if (claimed) settle(entry, createHeldTask(claimed, entry.worker.pool, "assigned", clock.monotonic()));
        else refuse(entry);
      }
      changed();
      return true;
    } catch (error) {
      if (CarillonError.from(error).code !== "unavailable") log.error({ error }, "tasks could not be adopted");
      return false;
    }
  }

  function settle({ worker, outcome }: Presented, held: ReturnType<typeof createHeldTask>): void {
    const known = findHeld(hand, held.claimed.id, held.claimed.token);
    if (known?.phase === "ending") return;
    if (known) forget(hand, known);
    held.handedOutAt = held.claimed.startedAt ?? clock.now();
    held.stop = known?.stop ?? null;
    held.cancel = known?.cancel ?? null;
    hand.tasks.set(held.claimed.id, held);
    joinWorker(held, worker);
    if (isSuspect(held)) worker.suspect = held;
    if (outcome) endings.reported(held, outcome);
    // It went while this was under way; the node that has it now needs a moment to find out where the lease is.
    else if (worker.state === "gone") worker.awaitedUntil = clock.monotonic() + LONG_GRACE_MS;
  }

  function refuse({ ref, worker, outcome }: Presented): void {
    const known = findHeld(hand, ref.id, ref.token);
    if (known && known.phase !== "ending") forget(hand, known);
    if (outcome) worker.link.send({ kind: "recorded", outcomes: [{ ...ref, accepted: false }] });
    else worker.link.send({ kind: "lost", tasks: [ref] });
  }

  function present(worker: ConnectedWorker, refs: readonly TaskRef[]): void {
    for (const ref of refs) {
      const earlier = presented.get(ref.id);
      if (earlier) earlier.worker.presented--;
      presented.set(ref.id, { ref: { id: ref.id, token: ref.token }, worker, outcome: earlier?.outcome ?? null });
      worker.presented++;
    }
    void run();
  }

  /** They stay in memory meanwhile, so that their outcomes are written without delay: (id, token) decides. */
  function presentAgain(worker: ConnectedWorker, tasks: readonly HeldTask[]): void {
    for (const held of tasks) {
      leaveWorker(held);
      held.worker = worker;
    }
    if (tasks.length > 0)
      present(
        worker,
        tasks.map(({ claimed }) => claimed),
      );
  }

  return {
    present,
    presentAgain,
    holdOutcome(worker, outcome) {
      const entry = presented.get(outcome.id);
      if (!entry || entry.ref.token !== outcome.token) return false;
      if (entry.worker !== worker) {
        entry.worker.presented--;
        entry.worker = worker;
        worker.presented++;
      }
      entry.outcome = outcome;
      return true;
    },
    ended({ id, token }) {
      const entry = presented.get(id);
      if (!entry || entry.ref.token !== token) return;
      drop(entry);
    },
    has: (id) => presented.has(id),
    renew() {
      for (const worker of hand.workers) presentAgain(worker, [...worker.tasks]);
    },
  };
}
