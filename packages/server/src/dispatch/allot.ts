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
    .map((band) => ({ band, lanes: pairs.filter((pair) => pair.band === band), share: 0, fraction: 0 }))
    .filter(({ lanes }) => lanes.length > 0);
  if (bands.length === 0) return [];
  const total = bands.reduce((sum, { band }) => sum + WEIGHTS[band], 0);
  let left = budget;
  for (const entry of bands) {
    const fair = (budget * WEIGHTS[entry.band]) / total;
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
    const each = Math.floor(share / lanes.length);
    const more = share % lanes.length;
    return lanes.flatMap(({ lane }, index) => {
      const place = (index + turn) % lanes.length;
      const limit = each + (place < more ? 1 : 0);
      return limit > 0 ? [{ laneId: lane.id, band, limit }] : [];
    });
  });
}
