/**
 * Slots kept for tasks that are about to be inserted as claimed, by lane. Whoever reserves either hands out as many claimed tasks or
 * releases the rest.
 */
import { type LaneName, laneKey } from "@carillon/store";
import { freeCredits, type Pool } from "./hand.ts";

export interface Reservations {
  /** Takes up to `count` of the free slots of these pools, from the one with the most; how many it got. */
  take(lane: LaneName, pools: readonly Pool[], count: number): number;
  /** Ends the reservation of one slot; the pool it was taken from, or null when there was none. */
  end(lane: LaneName): Pool | null;
}

export function createReservations(): Reservations {
  const taken = new Map<string, Map<Pool, number>>();
  return {
    take(lane, pools, count) {
      let best: Pool | null = null;
      for (const pool of pools) if (!best || freeCredits(pool) > freeCredits(best)) best = pool;
      const got = best ? Math.min(count, freeCredits(best)) : 0;
      if (!best || got <= 0) return 0;
      best.reserved += got;
      const byPool = taken.get(laneKey(lane)) ?? new Map<Pool, number>();
      taken.set(laneKey(lane), byPool.set(best, (byPool.get(best) ?? 0) + got));
      return got;
    },
    end(lane) {
      const byPool = taken.get(laneKey(lane));
      const entry = byPool?.entries().next().value;
      if (!byPool || !entry) return null;
      const [pool, count] = entry;
      pool.reserved--;
      if (count > 1) byPool.set(pool, count - 1);
      else byPool.delete(pool);
      if (byPool.size === 0) taken.delete(laneKey(lane));
      return pool;
    },
  };
}
