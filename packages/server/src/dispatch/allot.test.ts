import { seededRandom } from "@carillon/testkit";
import { expect, test } from "vitest";
import { allot } from "./allot.ts";

const pair = (id: number, band: 1 | 2 | 3) => ({ lane: { id }, band });
const sum = (targets: { limit: number }[]) => targets.reduce((total, { limit }) => total + limit, 0);

test("the whole budget is given out, whatever the bands and lanes", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 2_000; round++) {
    const pairs = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, id) =>
      pair(id, (1 + Math.floor(random() * 3)) as 1 | 2 | 3),
    );
    const budget = 1 + Math.floor(random() * 300);
    expect(sum(allot(pairs, budget, { turn: round, random }))).toBe(budget);
  }
});

test("one slot at a time, bands still share 8 : 3 : 1", () => {
  const random = seededRandom(4);
  const won = new Map<number, number>();
  const pairs = [pair(1, 1), pair(2, 2), pair(3, 3)];
  for (let turn = 0; turn < 12_000; turn++) {
    for (const { band, limit } of allot(pairs, 1, { turn, random })) won.set(band, (won.get(band) ?? 0) + limit);
  }
  expect(won.get(1)).toBeGreaterThan(7_600);
  expect(won.get(2)).toBeGreaterThan(2_700);
  expect(won.get(3)).toBeGreaterThan(850);
});

test("lanes take turns when there are fewer slots than lanes", () => {
  const pairs = Array.from({ length: 7 }, (_, id) => pair(id, 2));
  const won = new Map<number, number>();
  for (let turn = 0; turn < 70; turn++) {
    for (const { laneId, limit } of allot(pairs, 3, { turn, random: () => 0 })) {
      won.set(laneId, (won.get(laneId) ?? 0) + limit);
    }
  }
  expect([...won.values()]).toEqual(Array(7).fill(30));
});

test("nothing due, nothing allotted", () => {
  expect(allot([], 10, { turn: 0, random: () => 0 })).toEqual([]);
});
