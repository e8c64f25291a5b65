/**
 * Who gets how many of the free slots. Bands share by weight, so that urgent work goes first and the lowest band still gets at least a
 * twelfth of the claims; lanes of one band share equally, each claim beginning with another one.
 */
import type { Band, ClaimTarget } from "@carillon/store";

const WEIGHTS: Record<Band, number> = { 1: 8, 2: 3, 3: 1 };

export function allot(
  pairs: readonly { lane: { id: number }; band: Band }[],
  budget: number,
  { turn, random }: { turn: number; random: () => number },
): ClaimTarget[] {
  const bands = ([1, 2, 3] as const)
    .map((band) => ({ band, lanes: pairs.filter((pair) => pair.band === band), share: 0 }))
    .filter(({ lanes }) => lanes.length > 0);
  const total = bands.reduce((sum, { band }) => sum + WEIGHTS[band], 0);
  let left = budget;
  for (const entry of bands) {
    entry.share = Math.floor((budget * WEIGHTS[entry.band]) / total);
    left -= entry.share;
  }
  // What rounding left over is drawn, so that shares hold for small budgets too.
  for (; left > 0 && bands.length > 0; left--) {
    let draw = random() * total;
    const winner = bands.find(({ band }) => (draw -= WEIGHTS[band]) < 0) ?? bands.at(-1)!;
    winner.share++;
  }
  return bands.flatMap(({ band, lanes, share }) => {
    const each = Math.floor(share / lanes.length);
    const more = share % lanes.length;
    return lanes.flatMap(({ lane }, index) => {
      const place = (index + turn) % lanes.length;
      const limit = each + (place < more ? 1 : 0);
      return limit > 0 ? [{ laneId: lane.id, band, limit }] : [];
    });
  });
}
