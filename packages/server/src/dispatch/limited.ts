/**
 * Takes tasks of limited queues from the store, at their instants and for free slots alone: never ahead. A queue is asked when something is
 * due there, when a token comes, when a task of it has ended here, when another node says that there is room, and once a second at the
 * latest while something waits. One claim at a time for each queue; the store lets one node at a time do it.
 */
import type { Band, ClaimedTask, Lane, LimitedAnswer } from "@carillon/store";
import { CLAIM_ANSWER_MS, type Claims, dueBudget } from "./claims.ts";
import { type Demand, isDue, type Pair, pairKey } from "./demand.ts";
import { findHeld, type Hand, type HeldTask, type Pool } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import { type ManagedQueue, noteEnd, type Queues } from "./queues.ts";
import type { Returns } from "./returns.ts";

const MAX_BATCH = 500;
/** For all queues together, of the few connections that there are for it. */
const FLIGHTS = 4;
/** Another node was claiming there; and between two claims that found nothing although something was due. */
const AGAIN_MS = 5;
const FAILURE_PAUSE_MS = 100;

const bands: readonly Band[] = [1, 2, 3];

export interface Limited {
  /** Starts the claims that make sense now. */
  pump(now: number): void;
  /** A slot of its queue is free again, if that is limited. */
  ended(held: HeldTask): void;
  /** Other nodes cannot use the room that there is in the queues of these lanes. */
  room(lanes: readonly number[]): void;
  /** When a claim makes sense next, as far as that is known; Infinity. */
  nextAt(now: number): number;
  idle(): Promise<void>;
}

/** For whose workers a claim is, and for how many more tasks they have room. */
interface Found {
  pool: Pool;
  budget: number;
  last: boolean;
}

export function createLimited(
  options: DispatcherOptions,
  parts: {
    hand: Hand;
    demand: Demand;
    queues: Queues;
    claims: Pick<Claims, "settle">;
    returns: Returns;
    changed: () => void;
  },
): Limited {
  const { store, clock, random, metrics, log, session, peers } = options;
  const { hand, demand, queues, claims, returns, changed } = parts;
  const flights = new Set<Promise<void>>();
  let pausedUntil = 0;
  let turn = 0;

  const pairsOf = (lanes: readonly Lane[]): Pair[] =>
    lanes.flatMap(({ id }) => bands.flatMap((band) => demand.pairs.get(pairKey(id, band)) ?? []));

  /** Something may start there now, if there is a worker for it. */
  function isWanted(queue: ManagedQueue, lanes: readonly Lane[], now: number): boolean {
    if (queue.mode !== "limited" || queue.claiming || queue.askAt > now || queue.tokenAt > now) return false;
    if (queue.ended || queue.freed.size > 0 || queue.sweepAfter !== null) return true;
    return !queue.full && (queue.keysAt <= now || pairsOf(lanes).some(({ dueAt }) => dueAt <= now));
  }

  /**
   * For whose workers to claim; null: none can take any. Each in turn among those with something due, or else among all, since what asks
   * for labels is for the workers of one pool alone. `last`: all were asked then.
   */
  function poolFor(queue: ManagedQueue, lanes: readonly Lane[], now: number): Found | null {
    const at = clock.monotonic();
    const able = new Map<Pool, { pool: Pool; budget: number; due: boolean }>();
    for (const lane of lanes) {
      const due = bands.some((band) => (demand.pairs.get(pairKey(lane.id, band))?.dueAt ?? Infinity) <= now);
      for (const pool of demand.servedBy(lane)) {
        const known = able.get(pool);
        if (known) known.due ||= due;
        else if (pool.workers.length > 0) able.set(pool, { pool, budget: dueBudget(pool, at), due });
      }
    }
    const free = [...able.values()].filter(({ budget }) => budget > 0);
    if (free.length === 0) return null;
    const due = free.filter((one) => one.due);
    const unasked = free.filter(({ pool }) => !queue.asked.has(pool));
    const wanted = due.length > 0 ? due : unasked.length > 0 ? unasked : free;
    const { pool, budget } = wanted[queue.turn++ % wanted.length]!;
    return { pool, budget, last: unasked.every((one) => one.pool === pool) };
  }

  /** What else is due for these workers gets half of their slots. */
  function shareOf({ pool, budget }: Found, wanted: number, now: number): number {
    let others = false;
    for (const pair of demand.pairs.values()) others ||= isDue(pair, now) && pair.pools.includes(pool);
    const share = others ? (budget + (turn++ % 2)) >> 1 : budget;
    return Math.min(MAX_BATCH, Math.ceil(share / wanted));
  }

  async function claim(queue: ManagedQueue, { pool, last, budget }: Found, lanes: Lane[], now: number): Promise<void> {
    const id = session.id!;
    const pairs = lanes.flatMap((lane) => bands.map((band) => demand.pairOf(lane, band)!));
    const before = pairs.map(({ dueAt }) => dueAt);
    for (const pair of pairs) {
      pair.claiming = true;
      pair.dueAt = Number.POSITIVE_INFINITY;
    }
    const { sweepAfter, ended } = queue;
    const keys = [...queue.freed];
    queue.asked.add(pool);
    if (last) {
      queue.asked.clear();
      queue.freed.clear();
      queue.sweepAfter = null;
      queue.ended = false;
    }
    pool.reserved += budget;
    const sentAt = clock.monotonic();
    const again = () => {
      for (const [index, pair] of pairs.entries()) pair.dueAt = Math.min(pair.dueAt, before[index]!);
      for (const key of keys) queue.freed.add(key);
      queue.sweepAfter ??= sweepAfter;
      queue.ended ||= ended;
      queue.asked.delete(pool);
    };
    try {
      const { namespace, name } = queue;
      const laneIds = lanes.map((lane) => lane.id);
      const request = { session: id, namespace, queue: name, lanes: laneIds, limit: budget, now, keys, sweepAfter };
      const answer = await store.claimLimited({ ...request, turns: queue.fairTurns });
      const { claimed } = answer;
      if (answer.busy) {
        again();
        queue.askAt = clock.now() + AGAIN_MS * (1 + random());
        return;
      }
      for (const { laneId, band, dueAt } of answer.nextDue) {
        const pair = demand.pairs.get(pairKey(laneId, band));
        if (pair) pair.dueAt = Math.min(pair.dueAt, dueAt);
      }
      learn(queue, answer, now);
      if (ended && hasRoom(answer, budget) && peers().length > 0) store.hints.publish({ room: [laneIds[0]!] });
      if (claimed.length > 0) metrics.claimed(claimed.length);
      const late = clock.monotonic() - sentAt > CLAIM_ANSWER_MS || session.id !== id;
      claims.settle(claimed, pool);
      if (late) void returns.giveBack(held(claimed));
    } catch (error) {
      again();
      if (clock.monotonic() >= pausedUntil) log.warn({ error }, "claiming from a limited queue failed");
      pausedUntil = clock.monotonic() + FAILURE_PAUSE_MS;
    } finally {
      pool.reserved -= budget;
      for (const pair of pairs) pair.claiming = false;
      queue.claiming = false;
      changed();
    }
  }

  /** What has ended meanwhile counts more. */
  function learn(queue: ManagedQueue, answer: LimitedAnswer, now: number): void {
    queue.full = answer.full && !queue.ended;
    queue.tokenAt = answer.tokenAt ?? 0;
    queue.keysAt = answer.keysAt ?? Number.POSITIVE_INFINITY;
    queue.sweepAfter ??= answer.sweptTo;
    queue.fairTurns = answer.turns ?? queue.fairTurns;
    // What is locked by somebody else is due all the same.
    queue.askAt = answer.claimed.length > 0 || answer.more ? 0 : now + AGAIN_MS;
    if (answer.mode === queue.mode) return;
    queues.setMode(queue, answer.mode);
    demand.queuesChanged();
  }

  const held = (claimed: ClaimedTask[]) => claimed.flatMap(({ id, token }) => findHeld(hand, id, token) ?? []);

  return {
    pump(now) {
      if (session.id === null || clock.monotonic() < pausedUntil) return;
      const wanted: { queue: ManagedQueue; lanes: readonly Lane[] }[] = [];
      for (const queue of queues.all()) {
        const lanes = demand.lanesOf(queue);
        if (lanes.length > 0 && isWanted(queue, lanes, now)) wanted.push({ queue, lanes });
      }
      // Each turn begins with another one, so that none is always too late for the last slot.
      for (let index = 0; index < wanted.length && flights.size < FLIGHTS; index++) {
        const { queue, lanes } = wanted[(index + turn) % wanted.length]!;
        const found = poolFor(queue, lanes, now);
        if (!found) passOn(queue, lanes);
        const budget = found ? shareOf(found, wanted.length - index, now) : 0;
        if (!found || budget < 1) continue;
        queue.claiming = true;
        const served = lanes.filter((lane) => demand.servedBy(lane).includes(found.pool));
        const flight = claim(queue, { ...found, budget }, served, now).finally(() => flights.delete(flight));
        flights.add(flight);
      }
      turn++;
    },
    ended({ claimed }) {
      const queue = queues.of(claimed.lane);
      if (!queue) return;
      noteEnd(queue, claimed.concurrencyKey);
      changed();
    },
    room(lanes) {
      for (const id of lanes) {
        const lane = demand.laneOf(id);
        const queue = lane && queues.of(lane);
        if (!queue) continue;
        queue.full = false;
        queue.sweepAfter ??= "";
      }
      changed();
    },
    nextAt(now) {
      let at = Number.POSITIVE_INFINITY;
      for (const queue of queues.all()) {
        const lanes = queue.mode === "limited" && !queue.claiming ? demand.lanesOf(queue) : [];
        if (lanes.length === 0 || (queue.full && !queue.ended)) continue;
        const dueAt = pairsOf(lanes).reduce((first, pair) => Math.min(first, pair.dueAt), queue.keysAt);
        const wantedAt = Math.max(queue.ended || queue.sweepAfter !== null ? now : dueAt, queue.tokenAt, queue.askAt);
        // What could be claimed already waits for a slot, not for a time.
        if (wantedAt > now) at = Math.min(at, wantedAt);
      }
      return at;
    },
    async idle() {
      await Promise.all(flights);
    },
  };

  /** Nobody here has a slot: others may. */
  function passOn(queue: ManagedQueue, lanes: readonly Lane[]): void {
    if (!queue.ended || peers().length === 0) return;
    queue.ended = false;
    store.hints.publish({ room: [lanes[0]!.id] });
  }
}

/** Somebody else may use what these lanes had nothing for. */
function hasRoom({ claimed, more, full, tokenAt }: LimitedAnswer, budget: number): boolean {
  return !more && !full && tokenAt === null && claimed.length < budget;
}
