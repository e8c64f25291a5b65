import { seededRandom } from "@carillon/testkit";
import { expect, test } from "vitest";
import { Heap } from "./heap.ts";

test("whatever goes in comes out in order, also after some were taken out of the middle", () => {
  const random = seededRandom(1);
  const heap = new Heap<number>((a, b) => a < b);
  const numbers = Array.from({ length: 1_000 }, () => Math.floor(random() * 500));
  for (const number of numbers) heap.push(number);
  const removed = heap.remove((number) => number % 3 === 0);
  const left = numbers.filter((number) => number % 3 !== 0).toSorted((a, b) => a - b);
  expect(removed).toHaveLength(1_000 - left.length);
  expect(heap.size).toBe(left.length);
  expect(left.map(() => heap.pop())).toEqual(left);
  expect(heap.pop()).toBeUndefined();
});
