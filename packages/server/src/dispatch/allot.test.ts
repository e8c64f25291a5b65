import { seededRandom } from "@carillon/testkit";
import { expect, test } from "vitest";
import { allot } from "./allot.ts";

const NOW = Date.UTC(2026, 10, 20);
const pair = (id: number, band: 1 | 2 | 3, waitedMs = 0) => ({ lane: { id }, band, dueAt: NOW - waitedMs });
const sum = (targets: { limit: number }[]) => targets.reduce((total, { limit }) => total + limit, 0);

test("the whole budget is given out, whatever the bands and lanes", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 2_000; round++) {
    const pairs = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, id) =>
      pair(id, (1 + Math.floor(random() * 3)) as 1 | 2 | 3),
    );
    const budget = 1 + Math.floor(random() * 300);
    expect(sum(allot(pairs, budget, { turn: round, random, now: NOW }))).toBe(budget);
  }
});

test("one slot at a time, bands still share 8 : 3 : 1", () => {
  const random = seededRandom(4);
  const won = new Map<number, number>();
  const pairs = [pair(1, 1), pair(2, 2), pair(3, 3)];
  for (let turn = 0; turn < 12_000; turn++) {
    for (const { band, limit } of allot(pairs, 1, { turn, random, now: NOW }))
      won.set(band, (won.get(band) ?? 0) + limit);
  }
  expect(won.get(1)).toBeGreaterThan(7_600);
  expect(won.get(2)).toBeGreaterThan(2_700);
  expect(won.get(3)).toBeGreaterThan(850);
});

test("a band whose first task has waited for long has a larger share, and the lowest never less than a fifteenth", () => {
  const MINUTE = 60_000;
  const shares = (...waited: [number, number, number]) => {
    const pairs = waited.map((minutes, index) => pair(index, (index + 1) as 1 | 2 | 3, minutes * MINUTE));
    const won = allot(pairs, 12_000, { turn: 0, random: () => 0, now: NOW });
    return won.map(({ limit }) => limit / 1_000);
  };
  expect(shares(0, 0, 0)).toEqual([8, 3, 1]);
  expect(shares(60, 0, 0)).toEqual([8, 3, 1]);
  expect(shares(0, 0, 1).map(Math.round)).toEqual([7, 3, 2]);
  expect(shares(60, 60, 60)).toEqual([4.8, 3.6, 3.6]);
  expect(shares(60, 60, 0)[2]).toBeCloseTo(12 / 15);
  // Not due yet: nothing has waited.
  expect(shares(-1, -1, -1)).toEqual([8, 3, 1]);
});

test("a band is as old as the oldest of its lanes", () => {
  const pairs = [pair(1, 1), pair(2, 3), pair(3, 3, 3_600_000)];
  const won = allot(pairs, 1_400, { turn: 0, random: () => 0, now: NOW });
  expect(won.map(({ limit }) => limit)).toEqual([800, 300, 300]);
});

test("lanes take turns when there are fewer slots than lanes", () => {
  const pairs = Array.from({ length: 7 }, (_, id) => pair(id, 2));
  const won = new Map<number, number>();
  for (let turn = 0; turn < 70; turn++) {
    for (const { laneId, limit } of allot(pairs, 3, { turn, random: () => 0, now: NOW })) {
      won.set(laneId, (won.get(laneId) ?? 0) + limit);
    }
  }
  expect([...won.values()]).toEqual(Array(7).fill(30));
});

test("lanes whose parts are told share by them on average, however small the budgets, and none waits long for its turn", () => {
  const parts = [0.6, 0.3, 0.1];
  const pairs = parts.map((_, id) => pair(id, 2));
  const random = seededRandom(5);
  const won = parts.map(() => 0);
  const last = parts.map(() => 0);
  let total = 0;
  for (let turn = 1; turn <= 3_000; turn++) {
    const budget = 1 + Math.floor(random() * 3);
    const targets = allot(pairs, budget, { turn, random, now: NOW, partsOf: () => parts });
    expect(sum(targets)).toBe(budget);
    total += budget;
    for (const { laneId, limit } of targets) {
      won[laneId]! += limit;
      expect(turn - last[laneId]!).toBeLessThanOrEqual(4 * Math.ceil(1 / parts[laneId]!));
      last[laneId] = turn;
    }
  }
  for (const [id, part] of parts.entries()) expect(won[id]! / total).toBeCloseTo(part, 1);
});

test("nothing due, nothing allotted", () => {
  expect(allot([], 10, { turn: 0, random: () => 0, now: NOW })).toEqual([]);
});
