/**
 * Fair sharing between keys. Tasks with a fair key are spread over parts, by a hash of the key, so that there are never more parts than
 * this, however many keys there are. Parts share what starts by their weights; part 0 is for tasks without a key.
 */
import { hashText } from "./text-hash.ts";

export const FAIR_PARTS = 256;

/** 1 to 256; 0 for no key. Two keys have the same part with a probability of 1/256, and then share what one would have. */
export function fairPart(key: string | null | undefined): number {
  return key === null || key === undefined ? 0 : 1 + (hashText(key) % FAIR_PARTS);
}

/** By key; those that are not named have 1. */
export type FairWeights = Readonly<Record<string, number>>;

/** By part, that of the heaviest of these keys in it. Parts that are not in it have 1. */
export function partWeights(weights: FairWeights = {}): ReadonlyMap<number, number> {
  const byPart = new Map<number, number>();
  for (const [key, weight] of Object.entries(weights)) {
    const part = fairPart(key);
    byPart.set(part, Math.max(byPart.get(part) ?? 1, weight));
  }
  return byPart;
}

/**
 * Whose turn it is. What starts costs its part one, divided by its weight, and the part that has had least goes first. A part that had
 * nothing to start for a while is owed nothing for that: it goes on where the others are.
 */
export interface FairTurns {
  /** What the part that was last served had had until then. */
  at: number;
  /** What those have had that have had more. */
  had: ReadonlyMap<number, number>;
}

export const noTurns: FairTurns = { at: 0, had: new Map() };

export const hadBy = ({ at, had }: FairTurns, part: number): number => had.get(part) ?? at;

/** After as many starts of each part. `at`: what the last one that was served had had before. */
export function turnsAfter(
  turns: FairTurns,
  started: ReadonlyMap<number, number>,
  at: number,
  weights: ReadonlyMap<number, number>,
): FairTurns {
  const had = new Map<number, number>();
  for (const part of new Set([...turns.had.keys(), ...started.keys()])) {
    const sum = hadBy(turns, part) + (started.get(part) ?? 0) / (weights.get(part) ?? 1);
    if (sum > at) had.set(part, sum);
  }
  return { at, had };
}
