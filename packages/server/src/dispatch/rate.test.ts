import { expect, test } from "vitest";
import { createRate } from "./rate.ts";

test("a steady stream is measured as it is, and its end is noticed", () => {
  const rate = createRate(50);
  let now = 0;
  rate.at(now);
  for (; now < 500; now += 10) {
    rate.add(20);
    rate.at(now);
  }
  expect(rate.at(now)).toBeCloseTo(2, 0);
  expect(rate.at(now + 500)).toBeLessThan(0.1);
});

test("events of one moment do not look like a flood", () => {
  const rate = createRate(50);
  rate.at(0);
  rate.add(100);
  expect(rate.at(1)).toBe(0);
  expect(rate.at(50)).toBeLessThan(2);
});
