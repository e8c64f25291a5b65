/**
 * Takes tasks from the store for this node's pools of workers, by two claims with budgets of their own. `due`: what is due now, for the
 * free slots, and a little more than that while slots free up quickly, so that workers do not wait for the store. `ahead`: what comes due
 * within the lookahead, for the slots that are expected to free up until then; it keeps no slot free. Each pool has at most one of either
 * in flight, so that batches grow with the load, while what the last one brought is worked on.
 */
import { bandOf, type ClaimedTask, type Lane } from "@carillon/store";
import { allot } from "./allot.ts";
import { claimsFrom, type Demand, isComing, isDue, LOOKAHEAD_MS, type Pair, pairKey } from "./demand.ts";
import { fairParts, fairPlaces } from "./fair-parts.ts";
import { createHeldTask, findHeld, freeCredits, freeSlots, type Hand, type Pool, slotsOf, take } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import { mayStart, type Queues } from "./queues.ts";
import type { Returns } from "./returns.ts";

const MAX_BATCH = 2_000;
/** A pool's tasks in the heap never exceed this. */
const MAX_AHEAD = 20_000;
/** Nor is anything claimed ahead while the payloads of all that is held come to more characters than this. */
const MAX_PAYLOADS_LENGTH = 64 * 1_024 * 1_024;
/** Ahead of their instants tasks are claimed for the slots that free up within this time. */
const EXPECTED_MS = 300;
/** Attempts are not taken to be quicker than this. */
const LEAST_SERVICE_MS = 0.5;
/** So much work lies ready beyond the free slots, measured in time: about two round trips to the store. */
const PREFETCH_MS = 25;
/** An answer older than this may have been reconciled away meanwhile: what it brought goes back. */
export const CLAIM_ANSWER_MS = 1_500;
const FAILURE_PAUSE_MS = 100;
const MAX_BOOST = 2_000;

type Kind = "due" | "ahead";

export interface Claims {
  /** Starts the claims that make sense now. */
  pump(now: number): void;
  /** Takes claimed tasks into the hand: those that are due to `ready`, the others ahead. */
  settle(claimed: ClaimedTask[], pool: Pool): void;
  /** No claim is in flight. */
  idle(): Promise<void>;
}

export function createClaims(
  options: DispatcherOptions,
  parts: { hand: Hand; demand: Demand; queues: Queues; returns: Returns; changed: () => void },
): Claims {
  const { store, clock, random, metrics, log, session } = options;
  const { hand, demand, queues, returns, changed } = parts;
  const weightOf = (lane: Lane) => queues.weightOf(lane);
  const partsOf = (lanes: readonly Lane[]) => fairParts(lanes, weightOf);
  let turn = 0;
  const flights = new Set<Promise<void>>();
  let pausedUntil = 0;

  async function claim(pool: Pool, kind: Kind, pairs: Pair[], budget: number, now: number): Promise<void> {
    const id = session.id!;
    const until = kind === "due" ? now : now + LOOKAHEAD_MS;
    const targets = allot(pairs, budget, { turn: pool.turn++, random, now, partsOf }).map((target) => ({
      ...target,
      from: claimsFrom(demand.pairs.get(pairKey(target.laneId, target.band))!),
    }));
    const asked = new Map(
      targets.map(({ laneId, band, limit }) => [pairKey(laneId, band), { limit, taken: 0, last: 0 }]),
    );
    const asking = pairs.filter((pair) => asked.has(pairKey(pair.lane.id, pair.band)));
    const before = asking.map(({ dueAt }) => dueAt);
    for (const pair of asking) {
      pair.claiming = true;
      pair.dueAt = Number.POSITIVE_INFINITY;
    }
    const promised = kind === "due" ? budget : 0;
    pool.reserved += promised;
    const sentAt = clock.monotonic();
    try {
      const claimed = await store.claim({ session: id, targets, until, limit: budget, now });
      for (const { lane, priority, dueAt } of claimed) {
        const target = asked.get(pairKey(lane.id, bandOf(priority)));
        if (!target) continue;
        target.taken++;
        target.last = Math.max(target.last, dueAt);
      }
      for (const pair of asking) {
        const { limit, taken, last } = asked.get(pairKey(pair.lane.id, pair.band))!;
        if (taken >= limit) {
          pair.dueAt = Math.min(pair.dueAt, last);
        } else {
          pair.exploredUntil = Math.max(pair.exploredUntil, until);
          pair.unsure = true;
        }
      }
      if (claimed.length > 0) metrics.claimed(claimed.length);
      if (kind === "due") adapt(pool, claimed.length >= budget ? claimed.length : 0);
      const late = clock.monotonic() - sentAt > CLAIM_ANSWER_MS || session.id !== id;
      settle(claimed, pool);
      if (late) void returns.giveBack(held(claimed));
    } catch (error) {
      for (const [index, pair] of asking.entries()) pair.dueAt = Math.min(pair.dueAt, before[index]!);
      if (clock.monotonic() >= pausedUntil) log.warn({ error }, "claiming failed");
      pausedUntil = clock.monotonic() + FAILURE_PAUSE_MS;
    } finally {
      pool.reserved -= promised;
      for (const pair of asking) pair.claiming = false;
      if (kind === "due") pool.claimingDue = false;
      else pool.claimingAhead = false;
      changed();
    }
  }

  function start(pool: Pool, kind: Kind, pairs: Pair[], budget: number, now: number): void {
    if (kind === "due") pool.claimingDue = true;
    else pool.claimingAhead = true;
    const flight = claim(pool, kind, pairs, budget, now).finally(() => flights.delete(flight));
    flights.add(flight);
  }

  function settle(claimed: ClaimedTask[], pool: Pool): void {
    const since = clock.monotonic();
    const places = fairPlaces(claimed, turn, weightOf);
    if (places) turn++;
    for (const [index, task] of claimed.entries()) {
      const held = createHeldTask(task, pool, "ahead", since);
      if (places) held.place = places[index]!;
      // An insert may be answered after reconciliation has given its task back, and it was claimed anew.
      if (!take(hand, held)) continue;
      pool.ahead++;
      hand.ahead.push(held);
    }
    // Its last worker left while the claim was in flight.
    if (hand.pools.get(pool.key) !== pool) void returns.giveBack(held(claimed));
  }

  const held = (claimed: ClaimedTask[]) => claimed.flatMap(({ id, token }) => findHeld(hand, id, token) ?? []);

  return {
    settle,
    pump(now) {
      if (session.id === null || clock.monotonic() < pausedUntil) return;
      const at = clock.monotonic();
      // Narrow pools may be many: their pairs are looked for once for all.
      const narrow = demand.asksForLabels() ? pairsOfNarrowPools(demand) : null;
      const known = (pool: Pool) => (pool.narrow === null ? demand.pairs.values() : (narrow?.get(pool) ?? []));
      for (const pool of hand.pools.values()) {
        if (pool.workers.length === 0) continue;
        if (!pool.claimingDue) {
          const budget = dueBudget(pool, at);
          const pairs = budget > 0 || pool.narrow !== null ? select(known(pool), pool, (pair) => isDue(pair, now)) : [];
          if (pool.narrow !== null) pool.hungry = pairs.length + pool.ready.size > 0 || hasLimited(known(pool), now);
          if (budget > 0 && pairs.length > 0) start(pool, "due", pairs, budget, now);
        }
        if (!pool.claimingAhead) {
          const budget = hand.payloadsLength > MAX_PAYLOADS_LENGTH ? 0 : aheadBudget(pool, at);
          if (budget > 0) {
            const pairs = select(known(pool), pool, (pair) => isComing(pair, now));
            if (pairs.length > 0) start(pool, "ahead", pairs, budget, now);
          }
        }
      }
    },
    async idle() {
      await Promise.all(flights);
    },
  };
}

/**
 * Workers that have finished what the last claim brought, and stand idle when the next one brings as much as it could, are faster than the
 * store's round trip: from now on more lies ready for them. What they then leave behind goes back, and this halves (`hand-out`).
 */
function adapt(pool: Pool, batch: number): void {
  const quick = pool.endedSinceClaim >= pool.lastBatch / 2 && pool.lastBatch > 0;
  const idle = pool.workers.reduce((sum, worker) => sum + freeSlots(worker), 0);
  if (batch > 0 && quick && idle >= slotsOf(pool) / 2) pool.boost = Math.min(MAX_BOOST, Math.max(16, 2 * pool.boost));
  pool.lastBatch = batch;
  pool.endedSinceClaim = 0;
}

function pairsOfNarrowPools(demand: Demand): Map<Pool, Pair[]> {
  const byPool = new Map<Pool, Pair[]>();
  for (const pair of demand.pairs.values()) {
    if (!pair.lane.requires) continue;
    for (const pool of pair.pools) {
      const pairs = byPool.get(pool);
      if (pairs) pairs.push(pair);
      else byPool.set(pool, [pair]);
    }
  }
  return byPool;
}

/** Something of a limited queue may start, had it a slot. */
function hasLimited(pairs: Iterable<Pair>, now: number): boolean {
  for (const { queue, dueAt } of pairs) if (queue && dueAt <= now && mayStart(queue, now)) return true;
  return false;
}

function select(known: Iterable<Pair>, pool: Pool, which: (pair: Pair) => boolean): Pair[] {
  const pairs: Pair[] = [];
  for (const pair of known) if (which(pair) && pair.pools.includes(pool)) pairs.push(pair);
  return pairs;
}

/** For how many more tasks that are due a pool's workers have slots, or soon will. */
export function dueBudget(pool: Pool, at: number): number {
  const free = freeCredits(pool);
  const prefetch = Math.max(pool.boost, Math.floor(pool.pace.at(at) * PREFETCH_MS));
  // Small top-ups of what lies ready would cost a statement each.
  if (free <= 0 && free + prefetch < prefetch / 2) return 0;
  return Math.min(MAX_BATCH, free + prefetch);
}

/** Many may be due at one instant after a quiet time: quick workers get through several slots' worth before a claim is answered. */
function aheadBudget(pool: Pool, at: number): number {
  const quick = Math.floor((slotsOf(pool) * PREFETCH_MS) / Math.max(LEAST_SERVICE_MS, pool.serviceMs));
  const expected = Math.max(freeCredits(pool), Math.floor(pool.rate.at(at) * EXPECTED_MS), quick);
  return Math.min(MAX_BATCH, Math.min(MAX_AHEAD, expected) - pool.ahead);
}
