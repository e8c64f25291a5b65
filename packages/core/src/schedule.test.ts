import fc from "fast-check";
import { expect, test } from "vitest";
import { parseInstant } from "./instant.ts";
import { defaultDst, defaultDstOf, firesBetween, jitteredDueAt, nextFireAt, type ScheduleRule } from "./schedule.ts";

const base: ScheduleRule = {
  cron: null,
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const at = (text: string) => parseInstant(text)!;

test("an interval without a start counts from the Unix epoch", () => {
  const rule = { ...base, every: "5m" };
  expect(nextFireAt(rule, at("2026-11-21T01:02:03Z"))).toBe(at("2026-11-21T01:05:00Z"));
  expect(nextFireAt(rule, at("2026-11-21T01:05:00Z"))).toBe(at("2026-11-21T01:10:00Z"));
});

test("an interval with a start begins there and counts elapsed time, whatever the clocks do", () => {
  const rule = { ...base, every: "24h", startAt: "2026-10-24T02:30[Europe/Paris]", timeZone: "Europe/Paris" };
  expect(firesBetween(rule, 0, Number.POSITIVE_INFINITY, 3)).toEqual([
    at("2026-10-24T00:30:00Z"),
    at("2026-10-25T00:30:00Z"),
    at("2026-10-26T00:30:00Z"),
  ]);
});

test("fires lie from the start on, and before the end", () => {
  const rule = { ...base, cron: "0 * * * *", startAt: "2026-01-01T05:00:00Z", endAt: "2026-01-01T07:00:00Z" };
  expect(firesBetween(rule, 0, Number.POSITIVE_INFINITY, 10)).toEqual([
    at("2026-01-01T05:00:00Z"),
    at("2026-01-01T06:00:00Z"),
  ]);
  expect(nextFireAt(rule, at("2026-01-01T06:00:00Z"))).toBeNull();
});

test("a stretch excludes its beginning, includes its end, and is cut at the limit", () => {
  const rule = { ...base, every: "1s" };
  expect(firesBetween(rule, 1_000, 4_000, 10)).toEqual([2_000, 3_000, 4_000]);
  expect(firesBetween(rule, 1_000, 4_000, 2)).toEqual([2_000, 3_000]);
  expect(firesBetween(rule, 1_000, 1_000, 10)).toEqual([]);
});

const rules = fc.record({
  cron: fc.constantFrom(
    "* * * * *",
    "*/7 * * * *",
    "0 2 * * *",
    "30 1,2 * * *",
    "15 0 1,15 * 1",
    "*/20 * * * * *",
    "0 0 L * *",
    null,
  ),
  every: fc.constantFrom("1s", "7m", "90m", "25h"),
  timeZone: fc.constantFrom("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
  startAt: fc.constantFrom(null, "2026-03-01T00:00:07Z"),
  endAt: fc.constantFrom(null, "2027-12-01T00:00:00Z"),
});
const aRule = rules.map(
  (given): ScheduleRule => ({ ...base, ...given, every: given.cron === null ? given.every : null }),
);
const anInstant = fc.integer({ min: at("2026-01-01T00:00:00Z"), max: at("2027-12-31T00:00:00Z") });

test("a stretch has the same fires in one piece, in two, and one at a time", () => {
  fc.assert(
    fc.property(
      aRule,
      anInstant,
      fc.integer({ min: 0, max: 3 * 3_600_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (rule, from, length, share) => {
        const until = from + length;
        const whole = firesBetween(rule, from, until, 20_000);
        expect(whole).toEqual([...new Set(whole)].sort((a, b) => a - b));
        const middle = from + Math.floor(length * share);
        expect([...firesBetween(rule, from, middle, 20_000), ...firesBetween(rule, middle, until, 20_000)]).toEqual(
          whole,
        );
        let cursor = from;
        for (const fire of whole.slice(0, 50)) {
          expect(nextFireAt(rule, cursor)).toBe(fire);
          cursor = fire;
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("jitter is the same for the same fire, differs between schedules, and stays before the next fire", () => {
  const rule = { ...base, every: "1m", jitter: "10m" };
  const dues = Array.from({ length: 500 }, (_, id) => jitteredDueAt(rule, BigInt(id) << 22n, 60_000));
  expect(new Set(dues).size).toBeGreaterThan(400);
  expect(Math.min(...dues)).toBeGreaterThanOrEqual(60_000);
  expect(Math.max(...dues)).toBeLessThan(120_000);
  const mean = dues.reduce((sum, due) => sum + due - 60_000, 0) / dues.length;
  expect(mean).toBeGreaterThan(25_000);
  expect(mean).toBeLessThan(35_000);
  expect(jitteredDueAt(rule, 7n, 60_000)).toBe(jitteredDueAt({ ...rule }, 7n, 60_000));
});

test("jitter uses its whole length, differs between fires, and none means none", () => {
  const rule = { ...base, cron: "0 * * * *", jitter: "30s" };
  const dues = firesBetween(rule, 0, 300 * 3_600_000, 300).map((fire) => jitteredDueAt(rule, 42n, fire) - fire);
  expect(Math.max(...dues)).toBeLessThanOrEqual(30_000);
  expect(Math.max(...dues)).toBeGreaterThan(28_000);
  expect(Math.min(...dues)).toBeLessThan(2_000);
  expect(jitteredDueAt({ ...rule, jitter: null }, 42n, 3_600_000)).toBe(3_600_000);
  expect(jitteredDueAt({ ...rule, jitter: "0s" }, 42n, 3_600_000)).toBe(3_600_000);
});

test("several rules fire whenever one of them does, and once where they meet", () => {
  const rule: ScheduleRule = {
    ...base,
    rules: [{ cron: "0 9 * * *" }, { every: "6h" }, { rrule: "FREQ=DAILY;BYHOUR=9,18" }],
    startAt: "2026-11-21T00:00:00Z",
    endAt: "2026-11-22T06:00:00Z",
  };
  expect(
    firesBetween(rule, 0, Number.POSITIVE_INFINITY, 20).map((fire) => new Date(fire).toISOString().slice(8, 16)),
  ).toEqual(["21T00:00", "21T06:00", "21T09:00", "21T12:00", "21T18:00", "22T00:00"]);
});

test("of several rules one may end before the others", () => {
  const rules = [{ cron: "0 0 0 1 1 * 2027" }, { rrule: "DTSTART:20270101T120000\nRRULE:FREQ=DAILY;COUNT=2" }];
  const fires = firesBetween({ ...base, rules }, at("2026-12-01T00:00:00Z"), Number.POSITIVE_INFINITY, 20);
  expect(fires).toEqual([at("2027-01-01T00:00:00Z"), at("2027-01-01T12:00:00Z"), at("2027-01-02T12:00:00Z")]);
  expect(nextFireAt({ ...base, rules }, at("2027-01-02T12:00:00Z"))).toBeNull();
});

test("zone, dialect, policies and the name that H is spread by are those of the schedule, for each of its rules", () => {
  const paris: ScheduleRule = {
    ...base,
    timeZone: "Europe/Paris",
    dialect: "quartz",
    dst: { gap: "shift", overlap: "second" },
    rules: [{ cron: "0 30 2 ? * 1" }, { rrule: "FREQ=DAILY;BYHOUR=2;BYMINUTE=45" }],
  };
  expect(firesBetween(paris, at("2026-03-28T12:00:00Z"), at("2026-03-29T12:00:00Z"), 9)).toEqual([
    at("2026-03-29T01:30:00Z"),
    at("2026-03-29T01:45:00Z"),
  ]);
  expect(firesBetween(paris, at("2026-10-24T12:00:00Z"), at("2026-10-25T12:00:00Z"), 9)).toEqual([
    at("2026-10-25T01:30:00Z"),
    at("2026-10-25T01:45:00Z"),
  ]);
  const spread = (hashKey: string) => nextFireAt({ ...base, cron: "H H * * *", hashKey }, 0);
  expect(spread("nightly")).toBe(spread("nightly"));
  expect(spread("nightly")).not.toBe(spread("hourly"));
});

test("where nothing is said of clock changes, rules that are nothing but RRULEs leave out what a gap does", () => {
  expect(defaultDstOf({ rrule: "FREQ=DAILY" }).gap).toBe("skip");
  expect(defaultDstOf({ rules: [{ rrule: "FREQ=DAILY" }, { rrule: "FREQ=WEEKLY" }] }).gap).toBe("skip");
  expect(defaultDstOf({ rules: [{ rrule: "FREQ=DAILY" }, { cron: "0 2 * * *" }] }).gap).toBe("next");
  expect(defaultDstOf({})).toEqual(defaultDst);
});
