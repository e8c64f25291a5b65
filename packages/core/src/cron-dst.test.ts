/** Changes of the clock: cases that are written down. Every zone and change is compared with an oracle in the testkit. */
import { expect, test } from "vitest";
import { AROUND_MS, readCases } from "../../../bench/src/time/cases.ts";
import { parseCron } from "./cron.ts";
import { type DstPolicy, nextFire } from "./wall-rule.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;
const usual: DstPolicy = { gap: "next", overlap: "first" };

function fires(expression: string, zone: string, from: number, until: number, dst: DstPolicy = usual): string[] {
  const cron = parseCron(expression, { dialect: "ocps" });
  if ("code" in cron) throw new Error(cron.message);
  const found: string[] = [];
  for (let at = nextFire(cron, zone, dst, from - 1); at !== null && at <= until; at = nextFire(cron, zone, dst, at)) {
    found.push(iso(at));
  }
  return found;
}

const iso = (at: number) => new Date(at).toISOString().slice(0, 16);
const utc = (text: string) => Date.parse(`${text}Z`);

const cases = readCases();
const changes = [...new Map(cases.map(({ zone, at }) => [`${zone} ${at}`, { zone, at: Date.parse(at) }])).values()];

test("there are 20 zones, 41 changes and 152 cases", () => {
  expect(new Set(changes.map(({ zone }) => zone)).size).toBe(20);
  expect(changes).toHaveLength(41);
  expect(cases).toHaveLength(152);
});

test.each(cases)("$zone $at ($change): $expression fires once on every day, at the right instant", (given) => {
  const at = Date.parse(given.at);
  expect(fires(given.expression, given.zone, at - AROUND_MS, at + AROUND_MS).map((text) => `${text}Z`)).toEqual(
    given.fires,
  );
});

test.each([
  ["30 2 * * 7", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T01:00"]],
  ["30 2 * * 7", "Europe/Rome", "2025-03-30T00:00", { gap: "shift", overlap: "first" }, ["2025-03-30T01:30"]],
  ["30 2 * * 7", "Europe/Rome", "2025-03-30T00:00", { gap: "skip", overlap: "first" }, ["2025-04-06T00:30"]],
  ["0 3 * * *", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T01:00"]],
  ["0 4 * * *", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T02:00"]],
  ["0 5 * * *", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T03:00"]],
  ["0 8 * * 0", "America/Chicago", "2026-03-08T05:45", usual, ["2026-03-08T13:00"]],
  // A wildcard or step in the hours keeps its rhythm.
  [
    "*/30 * * * *",
    "America/New_York",
    "2026-11-01T05:30",
    usual,
    ["2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30", "2026-11-01T07:00"],
  ],
  [
    "*/15 * * * *",
    "America/New_York",
    "2026-03-08T06:45",
    usual,
    ["2026-03-08T06:45", "2026-03-08T07:00", "2026-03-08T07:15", "2026-03-08T07:30"],
  ],
  [
    "0 */1 * * *",
    "America/New_York",
    "2026-11-01T05:00",
    usual,
    ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"],
  ],
  // Two wall times that meet are one fire.
  [
    "0 2,3 * * *",
    "America/New_York",
    "2026-03-08T00:00",
    usual,
    ["2026-03-08T07:00", "2026-03-09T06:00", "2026-03-09T07:00"],
  ],
  [
    "0 0,23 * * *",
    "America/Nuuk",
    "2026-03-28T12:00",
    usual,
    ["2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T01:00"],
  ],
  // A fixed hour with stepped minutes is not a rhythm.
  ["*/15 2 * * *", "America/New_York", "2026-03-08T00:00", usual, ["2026-03-08T07:00", "2026-03-09T06:00"]],
  [
    "*/30 1 * * *",
    "America/New_York",
    "2026-11-01T00:00",
    usual,
    ["2026-11-01T05:00", "2026-11-01T05:30", "2026-11-02T06:00"],
  ],
  ["30 23 * * 6", "America/Nuuk", "2026-03-25T00:00", usual, ["2026-03-29T01:00", "2026-04-05T00:30"]],
  ["30 23 28 3 *", "America/Nuuk", "2026-03-25T00:00", usual, ["2026-03-29T01:00", "2027-03-29T00:30"]],
  ["30 23 * * *", "America/Scoresbysund", "2026-03-28T12:00", usual, ["2026-03-29T01:00", "2026-03-30T00:30"]],
  // A day that never was.
  [
    "0 12 * * *",
    "Pacific/Apia",
    "2011-12-30T00:00",
    usual,
    ["2011-12-30T10:00", "2011-12-30T22:00", "2011-12-31T22:00"],
  ],
  ["0 0 * * *", "Pacific/Apia", "2011-12-30T00:00", usual, ["2011-12-30T10:00", "2011-12-31T10:00"]],
  ["0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00", { gap: "shift", overlap: "first" }, ["2011-12-30T22:00"]],
  // Both copies, and the second.
  [
    "30 1 * * *",
    "America/New_York",
    "2026-11-01T00:00",
    { gap: "next", overlap: "both" },
    ["2026-11-01T05:30", "2026-11-01T06:30", "2026-11-02T06:30"],
  ],
  [
    "*/30 1 * * *",
    "America/New_York",
    "2026-11-01T00:00",
    { gap: "next", overlap: "second" },
    ["2026-11-01T06:00", "2026-11-01T06:30", "2026-11-02T06:00"],
  ],
  // Shifted fires and ordinary ones come in the order of time.
  [
    "0,15,40 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-03T12:00",
    { gap: "shift", overlap: "first" },
    ["2026-10-03T15:30", "2026-10-03T15:40", "2026-10-03T15:45", "2026-10-04T15:00"],
  ],
] as [string, string, string, DstPolicy, string[]][])("%s in %s from %s", (expression, zone, from, dst, wanted) => {
  expect(fires(expression, zone, utc(from), utc(from) + 400 * DAY, dst).slice(0, wanted.length)).toEqual(wanted);
});

const policies: DstPolicy[] = [
  usual,
  { gap: "skip", overlap: "first" },
  { gap: "shift", overlap: "first" },
  { gap: "next", overlap: "second" },
  { gap: "next", overlap: "both" },
];

test("a rhythm never pauses for more than twice its period, in any zone", () => {
  for (const { zone, at } of changes) {
    for (const [expression, period] of [
      ["*/15 * * * *", 15],
      ["0 * * * *", 60],
      ["30 * * * *", 60],
      ["0 */2 * * *", 120],
    ] as const) {
      const found = fires(expression, zone, at - DAY, at + DAY).map(utc);
      const pauses = found.slice(1).map((fire, index) => fire - found[index]!);
      // Troll jumps two hours at once.
      const most = Math.max(2 * period, zone === "Antarctica/Troll" ? period + 120 : 0);
      expect(Math.max(...pauses), `${zone} ${expression}`).toBeLessThanOrEqual(most * MINUTE);
      expect(Math.min(...pauses), `${zone} ${expression}`).toBeGreaterThan(0);
    }
  }
});

test("looking from anywhere finds the same fires in the same order", () => {
  for (const { zone, at } of changes) {
    for (const expression of ["*/15 1,2,3 * * *", "30 0,23 * * *", "*/20 * * * *"]) {
      for (const dst of policies) {
        const from = at - DAY;
        const all = fires(expression, zone, from, at + DAY, dst);
        expect([...new Set(all)].sort()).toEqual(all);
        for (let start = at - 3 * 3_600_000; start < at + 3 * 3_600_000; start += 25 * MINUTE) {
          expect(fires(expression, zone, start, at + DAY, dst)).toEqual(all.filter((text) => utc(text) >= start));
        }
      }
    }
  }
});
