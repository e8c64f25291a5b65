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
  refKey,
  take,
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
  ended(worker: ConnectedWorker, ref: TaskRef): void;
  /** What waits to be adopted, as `id/token`. */
  pending(): Set<string>;
  /** A new session is open: whatever still runs is presented anew. */
  renew(): void;
}

export function createAdoption(
  { store, clock, session, log }: DispatcherOptions,
  { hand, endings, changed }: { hand: Hand; endings: Endings; changed: () => void },
): Adoption {
  /** Several attempts of one task may come at once, and strangers may name a task of somebody else's: each for itself. */
  const presented = new Map<string, Presented>();
  const keyOf = (worker: ConnectedWorker, ref: TaskRef) => `${refKey(ref)}/${worker.namespace}`;
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
    presented.delete(keyOf(entry.worker, entry.ref));
    entry.worker.presented--;
  }

  /** What is in memory, with a lease that may be here still, ends with its absent worker as anything else does. */
  function leave(entry: Presented): void {
    drop(entry);
    const known = knownTo(entry.worker, entry.ref);
    if (known?.phase === "assigned") joinWorker(known, entry.worker);
  }

  /** What is in memory of it, for a worker of its namespace. */
  function knownTo(worker: ConnectedWorker, ref: TaskRef): HeldTask | null {
    const known = findHeld(hand, ref.id, ref.token);
    return known?.claimed.lane.namespace === worker.namespace ? known : null;
  }

  /** One namespace at a time. False: the store did not answer. */
  async function adopt(sessionId: Id, entries: Presented[]): Promise<boolean> {
    const { namespace } = entries[0]!.worker;
    const batch = entries.filter(({ worker }) => worker.namespace === namespace);
    try {
      const adopted = await store.adopt(
        sessionId,
        namespace,
        batch.map(({ ref }) => ref),
      );
      if (session.id !== sessionId) return true;
      // Somebody may have marked this session dead, and a dead one adopts nothing: the next renewal tells.
      if (adopted.length < batch.length && !session.safe()) return false;
      const claimedByRef = new Map(adopted.map((claimed) => [refKey(claimed), claimed]));
      for (const entry of batch) {
        if (presented.get(keyOf(entry.worker, entry.ref)) !== entry) continue;
        drop(entry);
        const claimed = claimedByRef.get(refKey(entry.ref));
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
    held.handedOutAt = held.claimed.startedAt ?? clock.now();
    held.since -= Math.max(0, clock.now() - held.handedOutAt);
    held.stop = known?.stop ?? null;
    held.cancel = known?.cancel ?? null;
    take(hand, held);
    joinWorker(held, worker);
    if (isSuspect(held)) worker.suspect = held;
    if (outcome) endings.reported(held, outcome);
    // It went while this was under way; the node that has it now needs a moment to find out where the lease is.
    else if (worker.state === "gone") worker.awaitedUntil = clock.monotonic() + LONG_GRACE_MS;
  }

  function refuse({ ref, worker, outcome }: Presented): void {
    const known = knownTo(worker, ref);
    if (known && known.phase !== "ending") forget(hand, known);
    if (outcome) worker.link.send({ kind: "recorded", outcomes: [{ ...ref, accepted: false }] });
    else worker.link.send({ kind: "lost", tasks: [ref] });
  }

  function present(worker: ConnectedWorker, refs: readonly TaskRef[]): void {
    for (const ref of refs) {
      const key = keyOf(worker, ref);
      const earlier = presented.get(key);
      if (earlier) earlier.worker.presented--;
      presented.set(key, { ref: { id: ref.id, token: ref.token }, worker, outcome: earlier?.outcome ?? null });
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
      const entry = presented.get(keyOf(worker, outcome));
      if (!entry) return false;
      if (entry.worker !== worker) {
        entry.worker.presented--;
        entry.worker = worker;
        worker.presented++;
      }
      entry.outcome = outcome;
      return true;
    },
    ended(worker, ref) {
      // Asked about every outcome, and mostly nothing waits here.
      const entry = presented.size > 0 && presented.get(keyOf(worker, ref));
      if (entry) drop(entry);
    },
    pending: () => new Set([...presented.values()].map(({ ref }) => refKey(ref))),
    renew() {
      for (const worker of hand.workers) presentAgain(worker, [...worker.tasks]);
    },
  };
}
