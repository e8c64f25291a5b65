import { expect, test } from "vitest";
import { decideCatchUp } from "./catch-up.ts";

const missed = [10_000, 20_000, 30_000, 40_000];

test.each([
  ["skip", 60_000, 100, []],
  ["last", 60_000, 100, [40_000]],
  ["last", 10_000, 100, [40_000]],
  ["last", 9_999, 100, []],
  ["all", 60_000, 100, missed],
  ["all", 60_000, 2, [30_000, 40_000]],
  ["all", 25_000, 100, [30_000, 40_000]],
  ["all", 60_000, 0, []],
  ["all", 0, 100, []],
] as const)("%s within %i ms, at most %i", (policy, windowMs, limit, run) => {
  expect(decideCatchUp(missed, { policy, windowMs, limit }, 50_000)).toEqual(run);
});

test("nothing missed, nothing run", () => {
  expect(decideCatchUp([], { policy: "all", windowMs: 1_000, limit: 10 }, 0)).toEqual([]);
});
