/**
 * Which (lane, band) pairs have work, and from when on. The truth is read from the store at most once a second; in between, what this node
 * inserts, what others hint at and what claims find out moves it. Only lanes that a connected worker serves are looked at, so what nobody
 * serves costs nobody anything.
 */
import { type Band, bandOf, type Hint, type Lane, type LaneName, laneKey, type Store } from "@carillon/store";
import { type Hand, type Pool, serves } from "./hand.ts";
import { dropIdlePools, hasMatch, narrowPool } from "./narrow-pools.ts";
import type { ManagedQueue, Queues } from "./queues.ts";

/** How far ahead of its instant a task may be claimed: as long as it takes to claim what is due at one instant and held at most. */
export const LOOKAHEAD_MS = 1_000;
/** A pair that claims have emptied is looked at again when so little of what they covered is left. */
const EXPLORE_AGAIN_MS = 900;
/** Others find out by themselves within this time: they scan once a second. */
const POLL_MS = 1_300;
/** Notices about lanes that are not known yet. */
const MAX_UNKNOWN = 1_000;

export interface Pair {
  readonly lane: Lane;
  readonly band: Band;
  pools: readonly Pool[];
  /** Its queue, if that is limited or paused: then it is claimed otherwise (`limited.ts`). */
  queue: ManagedQueue | null;
  /** A pending task is known, or believed, to be due at this instant; Infinity for none. */
  dueAt: number;
  /** Claims have taken everything due until then. */
  exploredUntil: number;
  /** What is due after `exploredUntil` is not known until the next scan. */
  unsure: boolean;
  /** One claim at a time. */
  claiming: boolean;
}

export interface CreatedTask extends LaneName {
  priority: number;
  dueAt: number;
}

export interface Demand {
  readonly pairs: ReadonlyMap<number, Pair>;
  lane(name: LaneName): Lane | null;
  laneOf(id: number): Lane | null;
  /** Null: no worker here serves the lane. */
  pairOf(lane: Lane, band: Band): Pair | null;
  /** Those of a queue that workers here serve. */
  lanesOf(queue: ManagedQueue): readonly Lane[];
  /** Pools whose workers run tasks of this lane. */
  servedBy(lane: Lane): readonly Pool[];
  /** Something is pending since, or from, this instant. */
  notice(lane: Lane, band: Band, dueAt: number): void;
  /** Like `notice` for tasks that this node inserted or returned; tells other nodes when they may be needed. */
  created(tasks: readonly CreatedTask[], now: number): void;
  hinted(hint: Hint): void;
  /** Pools came or went. */
  poolsChanged(): void;
  /** Queues are claimed in other ways than before. */
  queuesChanged(): void;
  /** Workers came or went, in pools that stay: that matters where lanes ask for labels. */
  workersChanged(): void;
  /** Some lane asks for labels. */
  asksForLabels(): boolean;
  /** Tasks were created in lanes that are not known yet: nobody has been told of them. */
  curious(): boolean;
  /** Reads lanes and due instants from the store. */
  scan(): Promise<void>;
  /** When a pair that is not due yet wants to be claimed; Infinity for none. */
  nextAt(now: number): number;
}

/** `changed`: look at the pairs again. `scanSoon`: a lane is not known. `mayHandOut`: whether this node starts anything at present. */
export function createDemand(
  { store, hand, queues }: { store: Store; hand: Hand; queues: Queues },
  { changed, scanSoon, mayHandOut }: { changed: () => void; scanSoon: () => void; mayHandOut: () => boolean },
): Demand {
  const pairs = new Map<number, Pair>();
  const lanes = new Map<number, Lane>();
  const lanesByName = new Map<string, Lane>();
  /** Pools by lane, filled when asked. */
  const poolsOf = new Map<number, Pool[]>();
  /** The same of the lanes that are served, by queue. */
  const servedLanes = new Map<ManagedQueue, Lane[]>();
  /** Of lanes that ask for labels, whether a worker has them. */
  const matched = new Map<number, boolean>();
  let asking = 0;
  /** Since the last scan workers came or went whose labels may count. Many come at once, and each would be a look at every pair. */
  let stale = false;
  /** Those that are not narrow; null: not known since pools changed. */
  let plain: Pool[] | null = null;
  /** Notices since the scan in progress began: its answer may not have seen them. */
  let noticed: { lane: Lane; band: Band; dueAt: number }[] | null = null;
  let unknown: CreatedTask[] = [];

  function plainPools(): Pool[] {
    plain ??= [...hand.pools.values()].filter((pool) => pool.narrow === null);
    return plain;
  }

  function servedBy(lane: Lane): Pool[] {
    let pools = poolsOf.get(lane.id);
    if (!pools) {
      pools = plainPools().filter((pool) => serves(pool, lane));
      const { requires } = lane;
      if (requires) pools = pools.flatMap((pool) => narrowPool(hand, pool, requires) ?? []);
      poolsOf.set(lane.id, pools);
    }
    return pools;
  }

  /** The same as whether `servedBy` has any, without making pools for lanes that have nothing to do. */
  function isServed(lane: Lane): boolean {
    const { requires } = lane;
    if (!requires) return servedBy(lane).length > 0;
    let isMatched = matched.get(lane.id);
    if (isMatched === undefined) {
      isMatched = plainPools().some((pool) => serves(pool, lane) && hasMatch(pool, requires));
      matched.set(lane.id, isMatched);
    }
    return isMatched;
  }

  function pairOf(lane: Lane, band: Band): Pair | null {
    const key = pairKey(lane.id, band);
    const known = pairs.get(key);
    if (known) return known;
    const pools = servedBy(lane);
    if (pools.length === 0) return null;
    const pair: Pair = {
      lane,
      band,
      pools,
      queue: queues.of(lane),
      dueAt: Number.POSITIVE_INFINITY,
      exploredUntil: 0,
      unsure: false,
      claiming: false,
    };
    pairs.set(key, pair);
    return pair;
  }

  function notice(lane: Lane, band: Band, dueAt: number): void {
    noticed?.push({ lane, band, dueAt });
    const pair = pairOf(lane, band);
    if (!pair || pair.dueAt <= dueAt) return;
    pair.dueAt = dueAt;
    changed();
  }

  /** Whether this node can start a task of the lane itself. */
  const hasRoom = (lane: Lane) =>
    mayHandOut() && servedBy(lane).some((pool) => pool.workers.some((worker) => worker.slots > worker.tasks.size));

  function created(tasks: readonly CreatedTask[], now: number): void {
    const due = new Map<number, { laneId: number; band: Band; dueAt: number }>();
    for (const task of tasks) {
      const lane = lanesByName.get(laneKey(task));
      if (!lane) {
        if (unknown.length < MAX_UNKNOWN) unknown.push(task);
        continue;
      }
      const band = bandOf(task.priority);
      notice(lane, band, task.dueAt);
      if (task.dueAt > now + POLL_MS || hasRoom(lane)) continue;
      const key = pairKey(lane.id, band);
      const known = due.get(key);
      if (!known || known.dueAt > task.dueAt) due.set(key, { laneId: lane.id, band, dueAt: task.dueAt });
    }
    if (due.size > 0) store.hints.publish({ due: [...due.values()] });
    if (unknown.length > 0) scanSoon();
  }

  function refresh(): void {
    stale = false;
    plain = null;
    poolsOf.clear();
    servedLanes.clear();
    matched.clear();
    for (const [key, pair] of pairs) {
      pair.pools = servedBy(pair.lane);
      if (pair.pools.length === 0 && !pair.claiming) pairs.delete(key);
    }
  }

  /** Narrow pools that no pair has anything for. */
  function dropIdle(): void {
    const wanted = new Set<Pool>();
    for (const pair of pairs.values()) for (const pool of pair.pools) wanted.add(pool);
    if (!dropIdlePools(hand, (pool) => wanted.has(pool))) return;
    for (const lane of lanes.values()) if (lane.requires) poolsOf.delete(lane.id);
  }

  async function scan(): Promise<void> {
    const since: NonNullable<typeof noticed> = [];
    noticed = since;
    const waiting = unknown;
    unknown = [];
    try {
      const [all, changed] = await Promise.all([store.lanes(), queues.read()]);
      for (const lane of all) {
        if (lanes.has(lane.id)) continue;
        lanes.set(lane.id, lane);
        lanesByName.set(laneKey(lane), lane);
        if (lane.requires) asking++;
        servedLanes.clear();
      }
      if (stale) refresh();
      if (changed) queuesChanged();
      const served = [...lanes.values()].filter(isServed);
      const limited = served.filter((lane) => queues.of(lane)?.mode === "limited").map(({ id }) => id);
      const [found, waiting] = await Promise.all([
        served.length > 0 ? store.nextDue(served.map(({ id }) => id)) : [],
        limited.length > 0 ? store.waitingForKeys(limited) : [],
      ]);
      noticed = null;
      lookAgain(waiting);
      for (const pair of pairs.values()) {
        pair.dueAt = Number.POSITIVE_INFINITY;
        pair.unsure = pair.claiming;
      }
      for (const { laneId, band, dueAt } of found) notice(lanes.get(laneId)!, band, dueAt);
      for (const { lane, band, dueAt } of since) notice(lane, band, dueAt);
      for (const pair of pairs.values())
        if (pair.queue && pair.dueAt < Number.POSITIVE_INFINITY) pair.queue.full = false;
      for (const [key, pair] of pairs) {
        if (pair.dueAt === Number.POSITIVE_INFINITY && !pair.claiming) pairs.delete(key);
      }
      if (asking > 0) dropIdle();
    } catch (error) {
      unknown = [...waiting, ...unknown].slice(0, MAX_UNKNOWN);
      throw error;
    } finally {
      noticed = null;
    }
    for (const task of waiting) {
      const lane = lanesByName.get(laneKey(task));
      if (!lane) continue;
      const band = bandOf(task.priority);
      if (!hasRoom(lane)) store.hints.publish({ due: [{ laneId: lane.id, band, dueAt: task.dueAt }] });
    }
  }

  /** Whatever nobody told of is found within a scan. */
  function lookAgain(waiting: { laneId: number; tokenAt: number | null }[]): void {
    for (const { laneId, tokenAt } of waiting) {
      const queue = queues.of(lanes.get(laneId)!);
      if (!queue) continue;
      queue.full = false;
      queue.sweepAfter ??= "";
      queue.keysAt = Math.min(queue.keysAt, tokenAt ?? Number.POSITIVE_INFINITY);
    }
  }

  function queuesChanged(): void {
    servedLanes.clear();
    for (const pair of pairs.values()) {
      const queue = queues.of(pair.lane);
      if (queue === pair.queue) continue;
      pair.queue = queue;
      // What claims of the other kind came to says nothing.
      pair.unsure = true;
    }
  }

  return {
    pairs,
    pairOf,
    laneOf: (id) => lanes.get(id) ?? null,
    lanesOf(queue) {
      let served = servedLanes.get(queue);
      if (!served) {
        served = [...lanes.values()].filter((lane) => queues.of(lane) === queue && isServed(lane));
        servedLanes.set(queue, served);
      }
      return served;
    },
    queuesChanged() {
      queuesChanged();
      changed();
    },
    lane: (name) => lanesByName.get(laneKey(name)) ?? null,
    servedBy,
    notice,
    created,
    hinted(hint) {
      for (const { laneId, band, dueAt } of hint.due ?? []) {
        const lane = lanes.get(laneId);
        if (lane) notice(lane, band, dueAt);
        else scanSoon();
      }
    },
    poolsChanged() {
      refresh();
      scanSoon();
    },
    workersChanged() {
      if (asking === 0) return;
      stale = true;
      scanSoon();
    },
    asksForLabels: () => asking > 0,
    curious: () => unknown.length > 0,
    scan,
    nextAt(now) {
      let at = Number.POSITIVE_INFINITY;
      for (const pair of pairs.values()) {
        if (pair.claiming || pair.queue) continue;
        // What could be claimed already waits for a slot, not for a time.
        const claimAt = pair.dueAt - LOOKAHEAD_MS;
        if (pair.dueAt > now) at = Math.min(at, claimAt > now ? claimAt : pair.dueAt);
        const exploreAt = pair.exploredUntil - EXPLORE_AGAIN_MS;
        if (pair.unsure && exploreAt > now) at = Math.min(at, exploreAt);
      }
      return at;
    },
  };
}

/** Due now: worth a slot. */
export const isDue = (pair: Pair, now: number): boolean => !pair.claiming && !pair.queue && pair.dueAt <= now;

/** Something may come due within the lookahead, and nothing is due already. */
export function isComing(pair: Pair, now: number): boolean {
  if (pair.claiming || pair.queue || pair.dueAt <= now) return false;
  return pair.dueAt <= now + LOOKAHEAD_MS || (pair.unsure && pair.exploredUntil <= now + EXPLORE_AGAIN_MS);
}

/** Where a claim begins: nothing that is due earlier is known. A scan, which looks from the beginning, finds what nobody told of. */
export function claimsFrom({ dueAt, unsure, exploredUntil }: Pair): number {
  return Math.floor(unsure ? Math.min(dueAt, exploredUntil) : dueAt);
}

export const pairKey = (laneId: number, band: Band): number => laneId * 4 + band;
