/**
 * How a task reaches a worker on time. The parts, in the order a task meets them: `demand` knows where work is due, `claims` takes it from
 * the store, `hand-out` releases it at its instant, `gate` talks to workers, `endings` decides what follows, `outcomes` writes it.
 *
 * Everything that changes something ends with `changed()`; one turn then does whatever has become possible, and arms the one timer for the
 * next instant at which something will. Nothing is handed out unless the node's session was renewed recently and its clock is certain.
 */
import type { WorkerGate } from "@carillon/client";
import { delay, type Id, idCreatedAt, type Labels, type TargetState, WORKER_LABEL, within } from "@carillon/core";
import type { ClaimedTask, Hint, Lane, LaneName, WorkerFacts } from "@carillon/store";
import { Loop } from "../loops/loop.ts";
import { createAdoption } from "./adoption.ts";
import { createCallTargets } from "./call-targets.ts";
import { CLAIM_ANSWER_MS, createClaims } from "./claims.ts";
import { type CreatedTask, createDemand } from "./demand.ts";
import { createEndings } from "./endings.ts";
import { createGate, type Gate } from "./gate.ts";
import { type ConnectedWorker, createHand, findHeld, type HeldTask, type Pool } from "./hand.ts";
import { createHandOut } from "./hand-out.ts";
import { createLimited, type Limited } from "./limited.ts";
import { createLogs } from "./logs.ts";
import type { DispatcherOptions } from "./options.ts";
import { createOutcomes } from "./outcomes.ts";
import { createParking } from "./parking.ts";
import { createProgress } from "./progress.ts";
import { createQueues } from "./queues.ts";
import { createRecall, type RecallTask } from "./recalls.ts";
import { createReconciliation } from "./reconcile.ts";
import { createReservations } from "./reservations.ts";
import { createReturns } from "./returns.ts";
import { createTargetBook } from "./target-book.ts";
import { createWatch, TICK_MS } from "./watch.ts";

const SCAN_MS = 1_000;
/** Scans asked for come at most so often. */
const SCAN_SOON_MS = 50;
const RECONCILE_MS = 2_000;

export interface Dispatcher extends WorkerGate {
  start(): void;
  /** Instead of `start`, for a node that claims nothing: others learn what is created here. */
  startTelling(): void;
  /** Takes nothing more, gives back what has not started, sends workers to other nodes and waits for what still runs. */
  drain(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
  /** The session that may claim at this moment; null while nothing may be handed out. */
  readonly session: Id | null;
  /** Takes up to `count` free slots for tasks of a lane that are due now and about to be inserted as claimed; how many it got. */
  reserve(lane: LaneName, count: number): number;
  /** Slots that were reserved and not used. */
  release(lane: LaneName, count: number): void;
  /** Tasks that were inserted as claimed, each for a reserved slot. */
  handOut(claimed: readonly ClaimedTask[]): void;
  /** After an insert: this node looks at once, others are told if they may be needed. */
  noticeCreated(tasks: readonly CreatedTask[]): void;
  /** A task that this node may hold shall be cancelled, or given back if it has not started. */
  recall: RecallTask;
  /** The session is another one than before: what runs moves to it. */
  sessionOpened(): void;
  /** Another part made tasks pending; look soon. */
  lookSoon(): void;
  /** A queue was set anew, paused or resumed by this process. */
  queuesChanged(): void;
  /** Those whose links are open. */
  workers(): WorkerFacts[];
  /** What tasks call and had trouble in the last hour. */
  troubledTargets(): { name: string; state: TargetState }[];
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { store, clock, random, metrics, log, session, peers, renewSoon } = options;
  const hand = createHand();
  let draining = false;
  let stopped = false;
  let queued = false;
  let timer: { at: number; cancel: () => void } | null = null;
  let lastScanAt = Number.NEGATIVE_INFINITY;
  let scanAsked = false;
  let reopenedAt = Number.NEGATIVE_INFINITY;

  const queues = createQueues(store);
  const demand = createDemand({ store, hand, queues }, { changed, scanSoon, mayHandOut });
  const slotFreed = (held: HeldTask) => limited.ended(held);
  const returns = createReturns(options, { hand, demand, slotFreed });
  const lookAtTargets = () => targetLoop.wake();
  const parking = createParking(options, {
    hand,
    noticeCreated: (tasks) => demand.created(tasks, clock.now()),
    slotFreed,
    wake: lookAtTargets,
  });
  const book = createTargetBook(store, { hand, queues });
  const callTargets = createCallTargets(options, { book, parking, wake: lookAtTargets });
  const handOut = createHandOut(options, {
    hand,
    returns,
    tooLate: (held) => endings.unstarted(held),
    admit: callTargets.admit,
    changed,
  });
  const claims = createClaims(options, { hand, demand, queues, returns, changed });
  const limited: Limited = createLimited(options, { hand, demand, queues, claims, returns, changed });
  const logs = createLogs(options);
  const outcomes = createOutcomes(options, {
    hand,
    demand,
    logs,
    undecided: (held) => gate.undecided(held),
    slotFreed,
  });
  const endings = createEndings(options, { outcomes, callTargets, changed });
  const adoption = createAdoption(options, { hand, endings, changed });
  const progress = createProgress(options, { hand });
  const gate: Gate = createGate(options, { hand, demand, endings, adoption, logs, progress, returnAll, changed });
  const watch = createWatch(options, { hand, gate: () => gate, endings });
  const recall = createRecall(options, { hand, returns, markRunning: watch.markRunning });
  const reservations = createReservations();
  const reconcile = createReconciliation(options, { hand, adoption });

  const loop = (name: string, round: () => Promise<number>) =>
    new Loop({
      name,
      clock,
      random,
      round,
      onRound: (loop) => metrics.loopRan(loop, clock.now() / 1_000),
      onError: (loop, error) => log.warn({ error, loop }, "a round failed"),
    });
  const scanLoop = loop("scan", async () => {
    lastScanAt = clock.monotonic();
    if (hand.pools.size > 0 || demand.pairs.size > 0 || demand.curious()) await demand.scan();
    changed();
    return SCAN_MS;
  });
  const watchLoop = loop("watch", async () => {
    watch.tick();
    changed();
    return TICK_MS;
  });
  const reconcileLoop = loop("reconcile", async () => {
    await reconcile();
    changed();
    return RECONCILE_MS;
  });
  const targetLoop = loop("targets", () => callTargets.round());
  const loops = [scanLoop, watchLoop, reconcileLoop, targetLoop];
  let unsubscribe = () => {};

  /** One turn, after everything of this moment has happened. */
  function changed(): void {
    if (queued || stopped) return;
    queued = true;
    queueMicrotask(turn);
  }

  function turn(): void {
    queued = false;
    if (stopped) return;
    const now = clock.now();
    const open = mayHandOut();
    if (open) {
      handOut.release(now);
      for (const pool of hand.pools.values()) handOut.assign(pool);
    }
    for (const pool of hand.pools.values()) handOut.returnUnserved(pool);
    if (!open) return;
    limited.pump(now);
    claims.pump(now);
    arm(now);
  }

  function mayHandOut(): boolean {
    return !draining && session.safe() && clock.certain() && !outcomes.full();
  }

  function arm(now: number): void {
    const first = hand.ahead.peek()?.claimed.dueAt ?? Number.POSITIVE_INFINITY;
    const at = Math.min(first, demand.nextAt(now), limited.nextAt(now), now + handOut.nextReturnInMs());
    if (at === Number.POSITIVE_INFINITY || (timer && timer.at <= at)) return;
    timer?.cancel();
    const cancel = clock.after(Math.min(SCAN_MS, Math.max(0, at - now)), () => {
      timer = null;
      turn();
    });
    timer = { at, cancel };
  }

  function scanSoon(): void {
    if (scanAsked || stopped) return;
    scanAsked = true;
    const sinceMs = clock.monotonic() - lastScanAt;
    clock.after(Math.max(0, SCAN_SOON_MS - sinceMs), () => {
      scanAsked = false;
      scanLoop.wake();
    });
  }

  function returnAll(pool: Pool | null): void {
    const tasks: HeldTask[] = [];
    for (const held of hand.tasks.values()) if (pool === null || held.pool === pool) tasks.push(held);
    void returns.giveBack(tasks);
  }

  /** As claims that are answered late, what took long to insert may have been reconciled away; and a session that is over holds nothing. */
  function isLate({ id }: ClaimedTask): boolean {
    const createdAt = idCreatedAt(id);
    return clock.now() - createdAt > CLAIM_ANSWER_MS || createdAt < reopenedAt;
  }

  return {
    accept: (link, namespace) => gate.accept(link, namespace),
    start() {
      unsubscribe = store.hints.subscribe((hint: Hint) => {
        demand.hinted(hint);
        if (hint.targets) targetLoop.wake();
        if (hint.room) limited.room(hint.room);
        if (hint.queues) scanSoon();
      });
      for (const each of loops) each.start();
    },
    startTelling: () => scanLoop.start(),
    async drain(timeoutMs) {
      draining = true;
      const until = clock.monotonic() + timeoutMs;
      returnAll(null);
      const nodes = peers();
      if (nodes.length > 0) {
        for (const worker of hand.workers) worker.link.send({ kind: "go-elsewhere", nodes });
      }
      await within(clock, CLAIM_ANSWER_MS, Promise.all([claims.idle(), limited.idle()]));
      returnAll(null);
      while (hand.tasks.size > 0 && clock.monotonic() < until) {
        await delay(clock, 20);
        // An insert that was under way may have brought something to hand out.
        returnAll(null);
      }
      await within(clock, Math.max(0, until - clock.monotonic()), outcomes.idle());
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      unsubscribe();
      for (const worker of hand.workers) if (worker.state !== "gone") worker.link.close();
      await Promise.all(loops.map((each) => each.stop()));
    },
    get session() {
      return mayHandOut() ? session.id : null;
    },
    reserve(laneName, count) {
      const may = mayHandOut() && queues.of(laneName) === null;
      const lane = may ? demand.lane(laneName) : null;
      return lane ? reservations.take(lane, demand.servedBy(lane), count) : 0;
    },
    release(lane, count) {
      reservations.end(lane, count);
      changed();
    },
    handOut(claimed) {
      for (const [lane, tasks] of byLane(claimed)) {
        let settled = 0;
        for (const { pool, count } of reservations.end(lane, tasks.length))
          claims.settle(tasks.slice(settled, (settled += count)), pool);
        const [pool] = demand.servedBy(lane);
        if (pool && settled < tasks.length) claims.settle(tasks.slice(settled), pool);
      }
      const late = claimed.filter(isLate);
      if (late.length > 0) void returns.giveBack(late.flatMap(({ id, token }) => findHeld(hand, id, token) ?? []));
      changed();
    },
    noticeCreated(tasks) {
      demand.created(tasks, clock.now());
    },
    recall,
    sessionOpened() {
      reopenedAt = clock.now();
      returnAll(null);
      adoption.renew();
      changed();
    },
    lookSoon: scanSoon,
    troubledTargets: callTargets.troubled,
    queuesChanged() {
      scanSoon();
      renewSoon?.();
    },
    workers: () =>
      [...hand.workers]
        .filter((worker) => worker.state === "open" || worker.state === "leaving")
        .map((worker) => ({
          name: worker.name,
          namespace: worker.namespace,
          version: worker.version,
          queues: [...(worker.pool?.queues ?? [])],
          types: [...(worker.pool?.types ?? [])],
          labels: said(worker),
          slots: worker.slots,
          busy: worker.tasks.size + worker.presented,
          connectedAt: worker.connectedAt,
        })),
  };
}

function byLane(claimed: readonly ClaimedTask[]): Map<Lane, ClaimedTask[]> {
  const groups = new Map<Lane, ClaimedTask[]>();
  for (const task of claimed) {
    const group = groups.get(task.lane);
    if (group) group.push(task);
    else groups.set(task.lane, [task]);
  }
  return groups;
}

/** Its labels without the one that every worker has. */
function said({ labels: { [WORKER_LABEL]: _name, ...labels } }: ConnectedWorker): Labels {
  return labels;
}
