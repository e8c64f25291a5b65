import { expect, test } from "vitest";
import { limitWords, type Queue } from "../services/queues.ts";
import { limitFieldsOf, readLimits } from "./queue-limits.ts";

const queue: Queue = {
  name: "billing",
  version: 3,
  concurrency: 1_000,
  concurrencyPerKey: 1,
  concurrencyPerType: { mail: 5, render: 2 },
  rateLimit: { limit: 100, per: "1m", burst: 100 },
  rateLimitPerKey: { limit: 1, per: "1h", burst: 5 },
  maxBacklog: 50_000,
  breaker: { failures: 3, openFor: "10s", adaptive: true },
  fairWeights: {},
  paused: false,
  pause: null,
};
const settings = {
  concurrency: 1_000,
  concurrencyPerKey: 1,
  concurrencyPerType: { mail: 5, render: 2 },
  rateLimit: { limit: 100, per: "1m" },
  rateLimitPerKey: { limit: 1, per: "1h", burst: 5 },
  maxBacklog: 50_000,
  breaker: { failures: 3, openFor: "10s", adaptive: true },
};

test("a form shows the limits that a queue has, and what is emptied has none", () => {
  expect(readLimits(limitFieldsOf(queue), queue)).toEqual(settings);
  const { concurrency: _, rateLimit: _rate, ...others } = settings;
  expect(readLimits({ ...limitFieldsOf(queue), concurrency: " ", rate: "" }, queue)).toEqual(others);
  const limits = {
    concurrency: null,
    concurrencyPerKey: null,
    concurrencyPerType: null,
    rateLimit: null,
    rateLimitPerKey: null,
  };
  const none = { ...limits, maxBacklog: null, breaker: null };
  expect(readLimits(limitFieldsOf({ ...queue, ...none }), queue)).toEqual({});
  expect(limitWords({ ...queue, ...none })).toEqual([]);
  // What the form does not show is sent as it is.
  const fairWeights = { ada: 3 };
  expect(readLimits(limitFieldsOf(queue), { fairWeights })).toEqual({ ...settings, fairWeights });
});

test("limits are told in words", () => {
  expect(limitWords(queue)).toEqual([
    "1,000 at once",
    "1 at once of a key",
    "5 mail at once",
    "2 render at once",
    "100 per 1m",
    "1 per 1h, 5 at once of a key",
    "at most 50,000 waiting",
    "left alone after 3 failures",
  ]);
});
