import { expect, test } from "vitest";
import { FAIR_PARTS, fairPart, hadBy, noTurns, partWeights, turnsAfter } from "./fair-share.ts";

test("a key has the same part always, tasks without one have part 0, and many keys are spread over all parts", () => {
  expect(fairPart("ada")).toBe(fairPart("ada"));
  expect([fairPart(null), fairPart(undefined)]).toEqual([0, 0]);
  const parts = Array.from({ length: 20_000 }, (_, index) => fairPart(`customer-${index}`));
  expect(new Set(parts).size).toBe(FAIR_PARTS);
  expect([Math.min(...parts), Math.max(...parts)]).toEqual([1, FAIR_PARTS]);
  const counts = parts.reduce((sums, part) => sums.set(part, (sums.get(part) ?? 0) + 1), new Map<number, number>());
  expect(Math.max(...counts.values())).toBeLessThan((2 * 20_000) / FAIR_PARTS);
});

/** Written down, because rows carry them: another hash would split a key's tasks between two lanes. */
test("the parts of keys never change", () => {
  expect(["ada", "bob", "customer-42", "Ünïcödé 🚀", ""].map(fairPart)).toEqual([15, 87, 77, 117, 12]);
});

test("a part weighs as much as the heaviest key in it", () => {
  const same = Array.from({ length: 2_000 }, (_, index) => `k-${index}`).filter((key) => fairPart(key) === 7);
  const [one, other] = same as [string, string];
  expect(partWeights({ [one]: 3, [other]: 5 })).toEqual(new Map([[7, 5]]));
  expect(partWeights(undefined)).toEqual(new Map());
});

test("a start costs its part one by its weight, and a part that did nothing meanwhile is owed nothing", () => {
  const weights = new Map([[1, 4]]);
  const turns = turnsAfter(noTurns, new Map([[1, 4]]), 0.75, weights);
  expect(turns).toEqual({ at: 0.75, had: new Map([[1, 1]]) });
  expect([1, 2].map((part) => hadBy(turns, part))).toEqual([1, 0.75]);
  // Only those are remembered that have had more than a newcomer.
  expect(turnsAfter(turns, new Map([[2, 3]]), 2.75, weights)).toEqual({ at: 2.75, had: new Map([[2, 3.75]]) });
});
