import type { Lane } from "@carillon/store";
import { expect, test } from "vitest";
import { fairParts, fairPlaces } from "./fair-parts.ts";

const lane = (id: number, type: string, fair?: number): Lane => ({
  ...{ id, namespace: "default", queue: "default", type },
  ...(fair === undefined ? {} : { fair }),
});

test("keys share what their type would have without them, and take nothing from other types", () => {
  const lanes = [lane(1, "mail"), lane(2, "mail", 7), lane(3, "mail", 9), lane(4, "bill")];
  expect(fairParts(lanes, () => 1)).toEqual([1 / 6, 1 / 6, 1 / 6, 1 / 2]);
});

test("a heavier key has more, of what its type has", () => {
  const lanes = [lane(1, "mail", 7), lane(2, "mail", 9), lane(3, "bill", 9), lane(4, "bill")];
  const heavy = ({ fair }: Lane) => (fair === 9 ? 3 : 1);
  expect(fairParts(lanes, heavy)).toEqual([1 / 8, 3 / 8, 3 / 8, 1 / 8]);
});

test("where nobody has a fair key, or all are equal, lanes take turns as always", () => {
  expect(fairParts([lane(1, "mail"), lane(2, "bill")], () => 1)).toBeNull();
  expect(fairParts([lane(1, "mail", 1), lane(2, "mail", 2), lane(3, "mail")], () => 1)).toBeNull();
  expect(fairParts([], () => 1)).toBeNull();
});

test("tasks that were claimed together take turns by weight, and each time another key begins", () => {
  const [big, small] = [lane(1, "mail", 7), lane(2, "mail", 9)];
  const claimed = [big, big, big, big, small, small].map((lane) => ({ lane, priority: 5 }));
  const first = (turn: number, weightOf: (lane: Lane) => number) => {
    const places = fairPlaces(claimed, turn, weightOf)!;
    const order = places
      .map((place, index) => ({ place, lane: claimed[index]!.lane }))
      .sort((a, b) => a.place - b.place);
    return order.map(({ lane }) => lane);
  };
  const begun = new Map<Lane, number>();
  for (let turn = 0; turn < 1_000; turn++) {
    const order = first(turn, () => 1);
    expect(new Set(order.slice(0, 2)).size).toBe(2);
    expect(new Set(order.slice(2, 4)).size).toBe(2);
    begun.set(order[0]!, (begun.get(order[0]!) ?? 0) + 1);
  }
  expect(Math.abs(begun.get(big)! - begun.get(small)!)).toBeLessThan(20);
  let heavy = 0;
  for (let turn = 0; turn < 1_000; turn++) if (first(turn, ({ fair }) => (fair === 9 ? 3 : 1))[0] === small) heavy++;
  expect(heavy / 1_000).toBeCloseTo(0.75, 1);
});

test("tasks without fair keys stand in line as they are due", () => {
  expect(fairPlaces([{ lane: lane(1, "mail"), priority: 5 }], 3, () => 1)).toBeNull();
});
