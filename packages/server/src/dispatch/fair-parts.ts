/**
 * Who shares with whom. Lanes that differ in nothing but the part of their tasks' fair keys are one to all others: together they have what
 * a lane without such keys would have, and share it by weight. So keys in one type take nothing from another.
 */
import { type ClaimedTask, type Lane, laneKey } from "@carillon/store";

type WeightOf = (lane: Lane) => number;

/** For `allot`: of each lane its part of what they all get; null: equal parts, as without fair keys. */
export function fairParts(lanes: readonly Lane[], weightOf: WeightOf): number[] | null {
  if (!lanes.some(({ fair }) => fair !== undefined)) return null;
  const families = lanes.map((lane) => laneKey({ ...lane, fair: 0 }));
  const weights = lanes.map(weightOf);
  const sums = new Map<string, number>();
  for (const [index, family] of families.entries()) sums.set(family, (sums.get(family) ?? 0) + weights[index]!);
  const parts = lanes.map((_, index) => weights[index]! / (sums.get(families[index]!)! * sums.size));
  return parts.every((part) => part === parts[0]) ? null : parts;
}

/**
 * Whole numbers that are `share` together, each less than one from its part of it. Over the turns each is its part on average, and none
 * has to wait for longer than a few times as many turns as that takes.
 */
export function deal(share: number, parts: readonly number[], turn: number): number[] {
  const offset = spread(turn);
  let sum = 0;
  let dealt = 0;
  return parts.map((part, index) => {
    sum += part;
    const until = index === parts.length - 1 ? share : Math.floor(share * sum + offset);
    const own = until - dealt;
    dealt = until;
    return own;
  });
}

/**
 * Where tasks that were claimed together, in due order, stand in line: those of different lanes take turns by their parts, and each time
 * another lane begins, because the first few may be all that start. Null: none has a fair key, and due order decides alone.
 */
export function fairPlaces(
  claimed: readonly Pick<ClaimedTask, "lane" | "priority">[],
  turn: number,
  weightOf: WeightOf,
): number[] | null {
  if (!claimed.some(({ lane }) => lane.fair !== undefined)) return null;
  const lanes = [...new Set(claimed.map(({ lane }) => lane))].sort((a, b) => a.id - b.id);
  const parts = fairParts(lanes, weightOf);
  const begins = lanes.map((_, index) => (spread(turn) + index / lanes.length) % 1);
  const indexes = new Map(lanes.map((lane, index) => [lane, index]));
  const before = new Map<string, number>();
  return claimed.map(({ lane, priority }) => {
    const key = `${lane.id}/${priority}`;
    const place = before.get(key) ?? 0;
    before.set(key, place + 1);
    const index = indexes.get(lane)!;
    return (place + begins[index]!) / (parts?.[index] ?? 1);
  });
}

/** From 0 to 1, evenly and without a pattern: the next one is never near the last ones. */
const spread = (turn: number): number => (turn * GOLDEN) % 1;
const GOLDEN = (Math.sqrt(5) - 1) / 2;
