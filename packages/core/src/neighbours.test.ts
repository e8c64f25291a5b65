import fc from "fast-check";
import { expect, test } from "vitest";
import { parseInstant } from "./instant.ts";
import { previousFireAt } from "./neighbours.ts";
import { defaultDst, firesBetween, type ScheduleRule } from "./schedule.ts";

const NOW = parseInstant("2026-11-21T12:00:00Z")!;

function rule(changes: Partial<ScheduleRule>): ScheduleRule {
  return {
    cron: null,
    every: null,
    timeZone: "UTC",
    dialect: "ocps",
    dst: defaultDst,
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
    ...changes,
  };
}

test.each([
  [{ cron: "* * * * * *" }, "2026-11-21T11:59:59.000Z"],
  [{ cron: "* * 0-10 * * *" }, "2026-11-21T10:59:59.000Z"],
  [{ cron: "0 2 * * *", timeZone: "Europe/Paris" }, "2026-11-21T01:00:00.000Z"],
  [{ cron: "0 12 * * *" }, "2026-11-20T12:00:00.000Z"],
  [{ cron: "0 0 29 2 *" }, "2024-02-29T00:00:00.000Z"],
  [{ cron: "0 0 0 1 1 * 1971" }, "1971-01-01T00:00:00.000Z"],
  [{ every: "7m", startAt: "2026-11-21T11:00:00Z" }, "2026-11-21T11:56:00.000Z"],
  [{ cron: "0 0 1 1 *", endAt: "2020-06-01T00:00:00Z" }, "2020-01-01T00:00:00.000Z"],
] as [Partial<ScheduleRule>, string][])("the fire of %j before noon is the one of %s", (changes, at) => {
  expect(new Date(previousFireAt(rule(changes), NOW)!).toISOString()).toBe(at);
});

test("before its start a rule has not fired", () => {
  expect(previousFireAt(rule({ every: "1h", startAt: "2026-11-21T12:00:00Z" }), NOW)).toBeNull();
  expect(previousFireAt(rule({ cron: "0 0 0 1 1 * 2199" }), NOW)).toBeNull();
  expect(previousFireAt(rule({ every: "1h" }), 0)).toBeNull();
});

test("it is the last of all fires before, whatever the instant", () => {
  const rules = [rule({ cron: "*/7 3-5 * * *", timeZone: "Europe/Paris" }), rule({ every: "13m" })];
  const back = 60 * 86_400_000;
  fc.assert(
    fc.property(fc.constantFrom(...rules), fc.integer({ min: NOW - back, max: NOW }), (given, before) => {
      const all = firesBetween(given, before - 2 * 86_400_000, before - 1, 10_000);
      expect(previousFireAt(given, before)).toBe(all.at(-1));
    }),
    { numRuns: 100 },
  );
});
