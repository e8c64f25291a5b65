import { expect, test } from "vitest";
import { definitionOf, type Schedule } from "./schedules.ts";

const schedule = {
  name: "nightly",
  namespace: "default",
  version: 3,
  words: "At 02:00",
  cron: "0 2 * * *",
  every: null,
  rrule: null,
  rules: null,
  timeZone: "Europe/Paris",
  task: { type: "report", payload: {}, queue: null, priority: 5, retry: { maxAttempts: 2 }, tags: [], requires: {} },
  catchUp: { policy: "last", window: "24h", limit: 100 },
  startAt: null,
  excludes: [],
  paused: true,
  pause: null,
  nextFireAt: null,
  lastFireAt: null,
  lastTask: null,
  createdAt: "2026-11-21T00:00:00.000Z",
  updatedAt: "2026-11-21T00:00:00.000Z",
} as unknown as Schedule;

test("the definition keeps what was set, also what no form shows, and nothing that was not", () => {
  expect(definitionOf(schedule)).toEqual({
    cron: "0 2 * * *",
    timeZone: "Europe/Paris",
    catchUp: { policy: "last", window: "24h", limit: 100 },
    task: { type: "report", payload: {}, priority: 5, retry: { maxAttempts: 2 } },
  });
});
