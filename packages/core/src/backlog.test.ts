import { expect, test } from "vitest";
import { backlogRetryMs } from "./backlog.ts";

const full = { maxBacklog: 1_000, count: 1_000, wanted: 1, perSecond: 50 };

test.each([
  ["until a tenth of the queue is free at its present pace", full, 2_000],
  ["longer for a batch that needs more than that", { ...full, wanted: 500 }, 10_000],
  ["longer when there is more than there should be", { ...full, count: 1_900 }, 20_000],
  ["a second at least", { ...full, perSecond: 100_000 }, 1_000],
  ["a minute at most", { ...full, perSecond: 0.1 }, 60_000],
  ["a quarter of a minute when nothing becomes final", { ...full, perSecond: 0 }, 15_000],
  [
    "for one task of a queue of one as long as that takes",
    { maxBacklog: 1, count: 1, wanted: 1, perSecond: 0.5 },
    2_000,
  ],
])("who finds a queue full is to wait %s", (_, queue, ms) => {
  expect(backlogRetryMs(queue)).toBe(ms);
});
