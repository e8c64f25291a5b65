/**
 * Who gets how many of the free slots. Bands share by weight, so that urgent work goes first and the lowest band still gets at least a
 * fifteenth of the claims; lanes of one band share equally, each claim beginning with another one, or as they are told to. A band ages with
 * its first due task: the longer that waits, the more of the claims are the band's, and within the band the oldest goes first.
 */
import type { Band, ClaimTarget } from "@carillon/store";
import { deal } from "./fair-parts.ts";

const WEIGHTS: Record<Band, number> = { 1: 8, 2: 3, 3: 1 };
/** What they grow to: what is urgent still has most, and the lowest band as much as the one above. */
const MOST_WEIGHTS: Record<Band, number> = { 1: 8, 2: 6, 3: 6 };
/** So much waiting adds the weight once more. */
const AGE_MS = 60_000;

/** `partsOf` says which part of what its band gets each of these lanes has; null: all the same. */
export function allot<Lane extends { id: number }>(
  pairs: readonly { lane: Lane; band: Band; dueAt: number }[],
  budget: number,
  { turn, random, now, partsOf }: AllotFacts<Lane>,
): ClaimTarget[] {
  const bands = ([1, 2, 3] as const)
    .map((band) => ({ band, lanes: pairs.filter((pair) => pair.band === band), weight: 0, share: 0, fraction: 0 }))
    .filter(({ lanes }) => lanes.length > 0);
  if (bands.length === 0) return [];
  for (const entry of bands) entry.weight = weightOf(entry, now);
  const total = bands.reduce((sum, { weight }) => sum + weight, 0);
  let left = budget;
  for (const entry of bands) {
    const fair = (budget * entry.weight) / total;
    entry.share = Math.floor(fair);
    entry.fraction = fair - entry.share;
    left -= entry.share;
  }
  // What rounding left over is drawn by the fractions, so that the shares hold on average however small the budgets are.
  for (; left > 0; left--) {
    let draw = random() * bands.reduce((sum, { fraction }) => sum + fraction, 0);
    const winner = bands.find(({ fraction }) => (draw -= fraction) < 0) ?? bands[0]!;
    winner.share++;
    winner.fraction = 0;
  }
  return bands.flatMap(({ band, lanes, share }) => {
    const parts = partsOf?.(lanes.map(({ lane }) => lane)) ?? null;
    if (parts !== null) {
      const limits = deal(share, parts, turn);
      return lanes.flatMap(({ lane }, index) =>
        limits[index]! > 0 ? [{ laneId: lane.id, band, limit: limits[index]! }] : [],
      );
    }
    const each = Math.floor(share / lanes.length);
    const more = share % lanes.length;
    return lanes.flatMap(({ lane }, index) => {
      const place = (index + turn) % lanes.length;
      const limit = each + (place < more ? 1 : 0);
      return limit > 0 ? [{ laneId: lane.id, band, limit }] : [];
    });
  });
}

interface AllotFacts<Lane> {
  turn: number;
  random: () => number;
  now: number;
  partsOf?: (lanes: readonly Lane[]) => readonly number[] | null;
}

function weightOf({ band, lanes }: { band: Band; lanes: readonly { dueAt: number }[] }, now: number): number {
  const waitedMs = lanes.reduce((longest, { dueAt }) => Math.max(longest, now - dueAt), 0);
  return Math.min(MOST_WEIGHTS[band], WEIGHTS[band] * (1 + waitedMs / AGE_MS));
}
