/**
 * Slots kept for tasks that are about to be inserted as claimed, by lane. Whoever reserves either hands out as many claimed tasks or
 * releases the rest.
 */
import { type LaneName, laneKey } from "@carillon/store";
import { freeCredits, type Pool } from "./hand.ts";

export interface Reservations {
  /** Takes up to `count` of the free slots of these pools, from the one with the most; how many it got. */
  take(lane: LaneName, pools: readonly Pool[], count: number): number;
  /** Ends the reservations of up to `count` slots; the pools they were taken from. */
  end(lane: LaneName, count: number): { pool: Pool; count: number }[];
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
      const key = laneKey(lane);
      const byPool = taken.get(key) ?? new Map<Pool, number>();
      taken.set(key, byPool.set(best, (byPool.get(best) ?? 0) + got));
      return got;
    },
    end(lane, count) {
      const key = laneKey(lane);
      const ended: { pool: Pool; count: number }[] = [];
      let left = count;
      for (const [pool, held] of taken.get(key) ?? []) {
        const some = Math.min(left, held);
        if (some === 0) break;
        left -= some;
        pool.reserved -= some;
        ended.push({ pool, count: some });
        if (some < held) taken.get(key)!.set(pool, held - some);
        else taken.get(key)!.delete(pool);
      }
      if (taken.get(key)?.size === 0) taken.delete(key);
      return ended;
    },
  };
}
