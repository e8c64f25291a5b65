/**
 * Where workers come in. A link begins with a hello, carries tasks one way and outcomes the other, and ends; its worker may outlive it.
 * A worker whose link broke gets a short grace to come back, to this node or to another one (which then adopts its tasks). What it still
 * holds here afterwards is lost with it, unless it said goodbye.
 */
import type {
  Hello,
  Link,
  LinkListener,
  NodeMessage,
  ReportedOutcome,
  TaskRef,
  WorkerGate,
  WorkerMessage,
} from "@carillon/client";
import { delay, WORKER_LABEL } from "@carillon/core";
import type { TypeDeclaration } from "@carillon/store";
import type { Adoption } from "./adoption.ts";
import type { Demand } from "./demand.ts";
import type { Endings } from "./endings.ts";
import {
  type ConnectedWorker,
  createPool,
  findHeld,
  type Hand,
  type HeldTask,
  joinWorker,
  LONG_GRACE_MS,
  type Pool,
  type StopReason,
} from "./hand.ts";
import type { Logs } from "./logs.ts";
import { joinNarrowPools, leaveNarrowPools } from "./narrow-pools.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Progress } from "./progress.ts";

const GRACE_MS = 750;
/** A process closes its link before it opens another, and pings every 500 ms: an open link heard so recently is another process'. */
const OTHER_PROCESS_MS = 1_000;
/** After the store was away: so long workers that went elsewhere meanwhile get to be adopted there. */
const RECOVERY_GRACE_MS = 5_000;

export interface Gate extends WorkerGate {
  /** A link on which nothing is heard any more. */
  silent(worker: ConnectedWorker): void;
  /** Ends the wait for workers whose grace is over. */
  expire(): void;
  /** What was decided about an absent worker's task could not be written: it is awaited again, until the store has been back for a while. */
  undecided(held: HeldTask): void;
}

export function createGate(
  options: DispatcherOptions,
  parts: {
    hand: Hand;
    demand: Demand;
    endings: Endings;
    adoption: Adoption;
    logs: Logs;
    progress: Progress;
    returnAll: (pool: Pool) => void;
    changed: () => void;
  },
): Gate {
  const { store, clock, session, log, node, peers, workersChanged = () => {} } = options;
  const { hand, demand, endings, adoption, logs, progress, changed } = parts;
  const declareTypes =
    options.declareTypes ??
    (async (namespace: string, types: TypeDeclaration[]) => {
      await store.declareTypes(namespace, types, clock.now());
      store.hints.publish({ types: true });
    });

  function hello(worker: ConnectedWorker, hello: Hello): void {
    const labels = { ...hello.labels, [WORKER_LABEL]: hello.worker };
    Object.assign(worker, { name: hello.worker, version: hello.version, labels, slots: hello.slots });
    const earlier = [...hand.workers].filter((other) => other !== worker && isSameProcess(other, worker, hello));
    worker.state = "open";
    hand.workers.add(worker);
    join(worker, hello);
    worker.link.send({ kind: "welcome", node, nodes: peers(), now: clock.now() });
    const brought: TaskRef[] = [];
    const known: HeldTask[] = [];
    for (const ref of hello.held) {
      const held = heldFor(worker, ref);
      if (held?.phase === "ending") held.worker = worker;
      else if (held?.phase === "assigned") known.push(held);
      else brought.push(ref);
      if (held?.phase === "assigned" && held.stop) sendCancel(worker, ref, stopReason(held.stop.why, held));
    }
    // The link it had before is over. What it does not name it never got, unless it is a new process.
    for (const other of earlier) {
      if (hello.held.length > 0) other.alive = true;
      if (other.state !== "gone") over(other, GRACE_MS, true);
    }
    // Also what is known here: a node that the worker passed through may have adopted it.
    adoption.presentAgain(worker, known);
    if (brought.length > 0) adoption.present(worker, brought);
    void declare(worker, hello);
    changed();
  }

  /** Names are for people: several processes may have the same. */
  function isSameProcess(other: ConnectedWorker, worker: ConnectedWorker, { held }: Hello): boolean {
    if (other.name !== worker.name || other.namespace !== worker.namespace) return false;
    if (other.state === "gone" || clock.monotonic() - other.heardAt >= OTHER_PROCESS_MS) return true;
    return held.some((ref) => heldFor(worker, ref)?.worker === other);
  }

  /** A task that this node holds, if it is one that this worker may speak of. */
  function heldFor(worker: ConnectedWorker, { id, token }: TaskRef): HeldTask | null {
    const held = findHeld(hand, id, token);
    return held?.claimed.lane.namespace === worker.namespace ? held : null;
  }

  function join(worker: ConnectedWorker, { queues, types }: Hello): void {
    const names = types.map(({ type }) => type);
    const key = JSON.stringify([worker.namespace, [...queues].sort(), [...names].sort()]);
    let pool = hand.pools.get(key);
    const isNew = !pool;
    if (!pool) hand.pools.set(key, (pool = createPool(key, worker.namespace, queues, names)));
    pool.workers.push(worker);
    worker.pool = pool;
    joinNarrowPools(worker);
    if (isNew) demand.poolsChanged();
    else demand.workersChanged();
    workersChanged();
  }

  function leave(worker: ConnectedWorker): void {
    const { pool } = worker;
    if (!pool) return;
    worker.pool = null;
    pool.workers.splice(pool.workers.indexOf(worker), 1);
    for (const empty of leaveNarrowPools(hand, worker)) parts.returnAll(empty);
    workersChanged();
    if (pool.workers.length > 0) {
      demand.workersChanged();
      return;
    }
    hand.pools.delete(pool.key);
    parts.returnAll(pool);
    demand.poolsChanged();
  }

  /** What a worker says about its types is what creates that leave fields out go by. */
  async function declare(worker: ConnectedWorker, { types }: Hello): Promise<void> {
    const declarations = types.map(({ type, queue, retry, timeoutMs }) => ({
      type,
      queue,
      policy: { retry, timeoutMs },
    }));
    while (worker.state === "open") {
      try {
        await declareTypes(worker.namespace, declarations);
        return;
      } catch (error) {
        log.warn({ error, worker: worker.name }, "could not store what a worker declares");
        await delay(clock, 1_000);
      }
    }
  }

  function outcomes(worker: ConnectedWorker, reported: readonly ReportedOutcome[]): void {
    for (const outcome of reported) {
      const held = heldFor(worker, outcome);
      if (held?.phase === "assigned") {
        joinWorker(held, worker);
        adoption.ended(worker, outcome);
        endings.reported(held, outcome);
      } else if (held) {
        held.worker = worker;
        held.reported = outcome;
      } else if (!adoption.holdOutcome(worker, outcome)) {
        adoption.present(worker, [outcome]);
        adoption.holdOutcome(worker, outcome);
      }
    }
  }

  function receive(worker: ConnectedWorker, message: WorkerMessage): void {
    if (worker.state === "gone") return;
    worker.heardAt = clock.monotonic();
    if (message.kind === "hello") {
      if (worker.state === "new") hello(worker, message.hello);
      return;
    }
    if (worker.state === "new") return;
    switch (message.kind) {
      case "capacity":
        worker.slots = message.slots;
        changed();
        return;
      case "outcomes":
        outcomes(worker, message.outcomes);
        return;
      case "logs":
        for (const line of message.lines) {
          const held = heldFor(worker, line);
          if (held) logs.add(held, line);
        }
        return;
      case "progress":
        for (const report of message.reports) if (heldFor(worker, report)) progress.add(report);
        return;
      case "leaving":
        worker.state = "leaving";
        worker.alive = true;
        return;
      case "ping":
        return;
    }
  }

  /** The link is over; its worker may come back. */
  function over(worker: ConnectedWorker, graceMs: number, close: boolean): void {
    if (worker.state === "gone") return;
    worker.state = "gone";
    leave(worker);
    if (close) worker.link.close();
    worker.awaitedUntil = clock.monotonic() + graceMs;
    if (worker.tasks.size + worker.presented === 0) hand.workers.delete(worker);
    else clock.after(graceMs, expire);
    changed();
  }

  let storeAwayAt = Number.NEGATIVE_INFINITY;

  /** While the store is away no node can adopt anything, so nobody's absence means that a task is free. */
  function expire(): void {
    const now = clock.monotonic();
    if (!session.safe()) storeAwayAt = now;
    if (now - storeAwayAt < RECOVERY_GRACE_MS) return;
    for (const worker of hand.workers) {
      if (worker.state !== "gone" || worker.awaitedUntil > now) continue;
      for (const held of [...worker.tasks]) {
        if (worker.alive) endings.released(held);
        else endings.lost(held);
      }
      if (worker.presented === 0) hand.workers.delete(worker);
    }
  }

  return {
    accept(link, namespace): LinkListener<WorkerMessage> {
      const worker = createWorker(link, namespace, clock.monotonic(), clock.now());
      return {
        message: (message) => receive(worker, message),
        closed: () => over(worker, worker.state === "leaving" ? LONG_GRACE_MS : GRACE_MS, false),
      };
    },
    silent(worker) {
      // It may be busy or cut off: nobody saw its process end, and what it runs is not to blame.
      worker.alive = true;
      over(worker, LONG_GRACE_MS, true);
    },
    expire,
    undecided(held) {
      storeAwayAt = clock.monotonic();
      held.phase = "assigned";
      held.outcome = null;
      if (!held.worker) return;
      joinWorker(held, held.worker);
      hand.workers.add(held.worker);
      if (held.reported) endings.reported(held, held.reported);
    },
  };
}

/** What its worker is told. */
function stopReason(why: StopReason, { cancel }: HeldTask): string | null {
  return why === "cancelled" ? (cancel?.reason ?? null) : why;
}

export function sendCancel(worker: ConnectedWorker, { id, token }: TaskRef, reason: string | null): void {
  worker.link.send({ kind: "cancels", cancels: [{ id, token, reason }] });
}

function createWorker(
  link: Link<NodeMessage>,
  namespace: string,
  heardAt: number,
  connectedAt: number,
): ConnectedWorker {
  return {
    link,
    namespace,
    connectedAt,
    state: "new",
    name: "",
    version: "",
    labels: {},
    slots: 0,
    pool: null,
    narrowPools: [],
    owesPlain: false,
    tasks: new Set(),
    presented: 0,
    transportMs: 0,
    heardAt,
    awaitedUntil: 0,
    suspect: null,
    alive: false,
    outbox: [],
  };
}
