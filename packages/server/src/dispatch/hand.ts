/**
 * What a node holds and for whom: the state that the parts of the dispatcher share. Only plain data; each part says what it changes.
 *
 * A task goes `ahead` (claimed before its instant, in the heap) → `ready` (due, waits for a slot) → `assigned` (with a worker) →
 * `ending` (its outcome is being written) → `gone`. It may enter at any step, and leave from the first two by being given back.
 */
import type { AssignedTask, Link, NodeMessage, ReportedOutcome, TaskRef } from "@carillon/client";
import { type FINISH_WITHIN, type Id, type Labels, limits } from "@carillon/core";
import type { ClaimedTask, LaneName, Outcome } from "@carillon/store";
import { Heap } from "./heap.ts";
import { createRate, type Rate } from "./rate.ts";

/** How long a worker that fell silent, and may be busy, or that said that it goes elsewhere may still come back with its tasks. */
export const LONG_GRACE_MS = 5_000;

/** Why a worker was told to stop an attempt. */
export type StopReason = "cancelled" | "timeout" | typeof FINISH_WITHIN;

export type Phase = "ahead" | "ready" | "assigned" | "ending" | "gone";

export interface HeldTask {
  readonly claimed: ClaimedTask;
  phase: Phase;
  /** Monotonic instant at which the phase began. */
  since: number;
  /** Among ready tasks, the lowest goes first. */
  rank: number;
  /** Among those of one rank, the lowest goes first; then due order decides. */
  place: number;
  /** For whose workers it was claimed; null for one that came with its worker. */
  pool: Pool | null;
  worker: ConnectedWorker | null;
  /** Monotonic instant at which this node had it, committed. */
  readonly hereSince: number;
  /** Node time; 0 before. */
  handedOutAt: number;
  /** What the way to its worker took, as far as is known. */
  transportMs: number;
  /** The store knows it as running. */
  running: boolean;
  /** Somebody asked to cancel it. */
  cancel: { reason: string | null } | null;
  /** The worker was told to stop it, at this monotonic instant. */
  stop: { why: StopReason; at: number } | null;
  /** The number of its last log line that waits to be written. */
  lastLogLine: number;
  outcome: Outcome | null;
  /** What its worker said while something else was being written about it: counts if that is not written after all. */
  reported: ReportedOutcome | null;
}

/** A worker process on an open link, or for a while after its link broke. */
export interface ConnectedWorker {
  readonly link: Link<NodeMessage>;
  readonly namespace: string;
  readonly connectedAt: number;
  /** `new` before its hello; `leaving` after its last word; `gone` with its link closed. */
  state: "new" | "open" | "leaving" | "gone";
  name: string;
  version: string;
  /** Those that it said, and its name. */
  labels: Labels;
  slots: number;
  pool: Pool | null;
  /** Of its plain pool, those whose labels it has. */
  readonly narrowPools: Pool[];
  /** A narrow pool had the last of its slots, so that the plain one has the next. */
  owesPlain: boolean;
  readonly tasks: Set<HeldTask>;
  /** How many tasks it presented that are not adopted yet. */
  presented: number;
  /** What the way to it took the last time that it could be told. */
  transportMs: number;
  /** Monotonic instant of its last message. */
  heardAt: number;
  /** Once its link is closed: until this monotonic instant it may come back with its tasks. */
  awaitedUntil: number;
  /** A task that took workers with it before; it runs, or waits to run, here and nothing else does. */
  suspect: HeldTask | null;
  /** What its last word, or its return on another link, says about the tasks it still has here: its process lives. */
  alive: boolean;
  /** What goes out at the end of the present turn. */
  readonly outbox: AssignedTask[];
}

/** Workers of one namespace that serve the same queues and types: their slots are interchangeable. */
export interface Pool {
  readonly key: string;
  readonly namespace: string;
  readonly queues: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  readonly workers: ConnectedWorker[];
  /** Of a pool for tasks that ask for labels (`narrow-pools.ts`): which, and whose workers have them. Null for a plain one. */
  readonly narrow: { plain: Pool; requires: Labels } | null;
  /** Of a plain one: those made of its workers. */
  readonly narrower: Pool[];
  /** Of a narrow one: something waits for a slot here, or is due and about to be claimed. */
  hungry: boolean;
  /** Where the rotation over workers goes on. */
  nextWorker: number;
  /** Due, without a slot: by rank. */
  readonly ready: Heap<HeldTask>;
  /** No ready task has waited too long before this monotonic instant; Infinity: none waits. */
  returnAt: number;
  /** Some of it is being given back. */
  returning: boolean;
  /** Due, to run alone, first come first served. */
  readonly suspects: HeldTask[];
  /** Since when (monotonic) a worker is kept for a suspect; null: none is. */
  isolatingSince: number | null;
  /** Until then (monotonic) no other suspect gets a worker for itself, so that everybody else is served too. */
  restUntil: number;
  /** Tasks of it in the heap. */
  ahead: number;
  /** Slots promised to claims in flight and to inserts. */
  reserved: number;
  claimingDue: boolean;
  claimingAhead: boolean;
  /** Counts its claims, so that each begins with another lane. */
  turn: number;
  /** How fast its slots free up, over seconds. */
  readonly rate: Rate;
  /** The same over a few round trips to the store. */
  readonly pace: Rate;
  /** How much lies ready beyond the free slots because its workers have proved quicker than the store. */
  boost: number;
  /** How long an attempt takes, smoothed over the last ones; Infinity before the first. */
  serviceMs: number;
  /** What the last claim brought, if it brought as much as it could, and how many tasks have ended since. */
  lastBatch: number;
  endedSinceClaim: number;
}

export interface Hand {
  readonly tasks: Map<Id, HeldTask>;
  readonly workers: Set<ConnectedWorker>;
  readonly pools: Map<string, Pool>;
  /** Characters of the payloads of all of them, and of the results that they are given. */
  payloadsLength: number;
  /** Claimed ahead: by due instant. */
  readonly ahead: Heap<HeldTask>;
}

export function createHand(): Hand {
  return {
    tasks: new Map(),
    workers: new Set(),
    pools: new Map(),
    payloadsLength: 0,
    ahead: new Heap((a, b) => a.claimed.dueAt < b.claimed.dueAt),
  };
}

export function createHeldTask(claimed: ClaimedTask, pool: Pool | null, phase: Phase, since: number): HeldTask {
  return {
    claimed,
    phase,
    since,
    rank: 0,
    place: 0,
    pool,
    worker: null,
    hereSince: since,
    handedOutAt: 0,
    transportMs: 0,
    running: claimed.startedAt !== null,
    cancel: null,
    stop: null,
    lastLogLine: 0,
    outcome: null,
    reported: null,
  };
}

export function createPool(
  key: string,
  namespace: string,
  queues: string[],
  types: string[],
  narrow: Pool["narrow"] = null,
): Pool {
  return {
    key,
    namespace,
    queues: new Set(queues),
    types: new Set(types),
    workers: [],
    narrow,
    narrower: [],
    hungry: false,
    nextWorker: 0,
    ready: new Heap(goesBefore),
    returnAt: Number.POSITIVE_INFINITY,
    returning: false,
    suspects: [],
    isolatingSince: null,
    restUntil: Number.NEGATIVE_INFINITY,
    ahead: 0,
    reserved: 0,
    claimingDue: false,
    claimingAhead: false,
    turn: 0,
    rate: createRate(1_000),
    pace: createRate(25),
    boost: 0,
    serviceMs: Number.POSITIVE_INFINITY,
    lastBatch: 0,
    endedSinceClaim: 0,
  };
}

/** Among ready tasks: gets its slot first. */
export function goesBefore(a: HeldTask, b: HeldTask): boolean {
  if (a.rank !== b.rank) return a.rank < b.rank;
  return a.place < b.place || (a.place === b.place && a.claimed.dueAt < b.claimed.dueAt);
}

/**
 * Takes a task into memory. What was here under an older token is over, and its worker is told. False: a newer lease of it is here already.
 */
export function take(hand: Hand, held: HeldTask): boolean {
  const { id, token } = held.claimed;
  const earlier = hand.tasks.get(id);
  if (earlier && earlier.claimed.token > token) return false;
  if (earlier && earlier.phase !== "ending") {
    if (earlier.claimed.token < token) {
      earlier.worker?.link.send({ kind: "lost", tasks: [{ id, token: earlier.claimed.token }] });
    }
    forget(hand, earlier);
  }
  const ending = hand.tasks.get(id);
  hand.tasks.set(id, held);
  hand.payloadsLength += lengthOf(held) - (ending ? lengthOf(ending) : 0);
  return true;
}

const lengthOf = ({ claimed: { payload, parents } }: HeldTask): number =>
  (payload?.length ?? 0) + (parents?.length ?? 0);

/** Tells attempts apart, in a map. */
export const refKey = ({ id, token }: TaskRef): string => `${id}/${token}`;

/** The task if this node still holds it under this token. */
export function findHeld(hand: Hand, id: Id, token: bigint): HeldTask | null {
  const held = hand.tasks.get(id);
  return held && held.claimed.token === token ? held : null;
}

/** Takes it out of memory; heaps pass over it later. */
export function forget(hand: Hand, held: HeldTask): void {
  if (held.phase === "ahead" && held.pool) held.pool.ahead--;
  held.phase = "gone";
  if (hand.tasks.get(held.claimed.id) === held) {
    hand.tasks.delete(held.claimed.id);
    hand.payloadsLength -= lengthOf(held);
  }
  leaveWorker(held);
  // A worker may have been kept empty for it.
  if (isSuspect(held)) for (const worker of hand.workers) if (worker.suspect === held) worker.suspect = null;
}

/** Once it has lost that many workers it runs alone: the next loss, which quarantines it, is then certainly its own doing. */
const SUSPECT_LOSSES = limits.lostWorkers - 1;

export function isSuspect({ claimed }: HeldTask): boolean {
  return claimed.lost >= SUSPECT_LOSSES;
}

export function joinWorker(held: HeldTask, worker: ConnectedWorker): void {
  leaveWorker(held);
  held.worker = worker;
  worker.tasks.add(held);
}

/** Frees its slot. `held.worker` stays: it is still told what became of the task. */
export function leaveWorker(held: HeldTask): void {
  const worker = held.worker;
  if (!worker) return;
  worker.tasks.delete(held);
  if (worker.suspect === held) worker.suspect = null;
}

export function freeSlots(worker: ConnectedWorker): number {
  if (worker.state !== "open" || worker.suspect) return 0;
  return Math.max(0, worker.slots - worker.tasks.size - worker.presented);
}

export function slotsOf(pool: Pool): number {
  let slots = 0;
  for (const worker of pool.workers) slots += worker.slots;
  return slots;
}

/** Slots that nobody has a claim on. May be negative. */
export function freeCredits(pool: Pool): number {
  let free = 0;
  for (const worker of pool.workers) free += freeSlots(worker);
  return free - pool.reserved - pool.ready.size;
}

/** Whether its workers run tasks of this name; which of them have the lane's labels is another question. */
export function serves(pool: Pool, lane: LaneName): boolean {
  return pool.namespace === lane.namespace && pool.types.has(lane.type) && pool.queues.has(lane.queue);
}
