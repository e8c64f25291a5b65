import fc from "fast-check";
import { expect, test } from "vitest";
import { planFires } from "./plan.ts";
import { defaultDst, nextFireAt, type ScheduleRule } from "./schedule.ts";
import { dependsOnZoneData, type FireAhead, shiftFires } from "./zone-data.ts";

const NOW = Date.UTC(2026, 9, 25, 0, 59, 50); // The clock of Paris goes back ten seconds later.
const rule: ScheduleRule = {
  cron: "*/7 * * * * *",
  every: null,
  timeZone: "Europe/Paris",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const weekends = (timeZone: string) => ({
  name: "weekends",
  calendar: {
    timeZone,
    weekly: [{ days: ["SUN" as const], from: "00:00", to: "02:30" }],
    dates: [],
    ranges: [],
    events: [],
  },
});

test.each<[string, Partial<ScheduleRule>, string | null, boolean]>([
  ["cron in a region", {}, null, true],
  ["cron in UTC", { timeZone: "UTC" }, null, false],
  ["cron at an offset", { timeZone: "Etc/GMT+3" }, null, false],
  ["cron in a zone that was an offset once", { timeZone: "EST" }, null, true],
  ["an interval", { cron: null, every: "1h" }, null, false],
  ["an RRULE", { cron: null, rrule: "FREQ=DAILY" }, null, true],
  ["an interval and cron", { cron: null, rules: [{ every: "1h" }, { cron: "0 2 * * *" }] }, null, true],
  ["an interval outside a calendar of a region", { cron: null, every: "1h" }, "Asia/Tokyo", true],
  ["cron in UTC outside a calendar in UTC", { timeZone: "UTC" }, "UTC", false],
])("%s: whether zone data decides", (_, over, calendarZone, expected) => {
  expect(dependsOnZoneData({ ...rule, ...over }, calendarZone === null ? [] : [weekends(calendarZone)])).toBe(expected);
});

const catchUp = { policy: "last" as const, windowMs: 86_400_000, limit: 100 };

test("with the data that a schedule was planned with nothing changes, whatever has been claimed", () => {
  fc.assert(
    fc.property(
      fc.record({
        cron: fc.constantFrom("*/7 * * * * *", "* * * * *", "30 2 * * *", "0 0 29 2 *"),
        paused: fc.boolean(),
        excludes: fc.boolean(),
        maxFires: fc.constantFrom(null, 1, 3, 6),
        claimed: fc.nat({ max: 3 }),
        laterMs: fc.nat({ max: 70_000 }),
      }),
      ({ cron, paused, excludes, maxFires, claimed, laterMs }) => {
        const calendars = excludes ? [weekends("Europe/Paris")] : [];
        const schedule = { id: 7n, rule: { ...rule, cron, maxFires }, catchUp, calendars, paused };
        const plan = planFires(
          { ...schedule, plannedUntil: NOW, firesSoFar: 0, tasksAhead: [], until: null },
          { now: NOW, horizonMs: 60_000, limit: 1_000 },
        );
        const firesSoFar = plan.fires.filter(({ outcome }) => outcome === "task").length;
        const now = NOW + laterMs;
        const ahead = plan.fires
          .filter(({ fireAt }) => fireAt > now)
          .map(({ fireAt, outcome }, index): FireAhead => {
            return { fireAt, outcome: outcome as "task", waits: outcome === "task" && index >= claimed };
          });
        const shift = shiftFires({ ...schedule, plannedUntil: plan.plannedUntil, firesSoFar }, ahead, now);
        expect(shift).toMatchObject({ removed: [], added: [] });
        const isOver = maxFires !== null && firesSoFar >= maxFires;
        const next = isOver ? (ahead.find(({ outcome }) => outcome === "task")?.fireAt ?? null) : undefined;
        expect(shift.nextFireAt).toBe(next === undefined ? nextFireAt(schedule.rule, now, calendars) : next);
      },
    ),
  );
});

test("fires that are elsewhere now are removed and added, those that a node holds stay, and skipped ones too", () => {
  const at = (second: number) => NOW + second * 1_000;
  const schedule = { id: 7n, rule: { ...rule, cron: "*/10 * * * * *" }, catchUp, paused: false };
  const mark = { plannedUntil: at(45), firesSoFar: 4 };
  const ahead: FireAhead[] = [
    { fireAt: at(5), outcome: "task", waits: false },
    { fireAt: at(10), outcome: "task", waits: true },
    { fireAt: at(15), outcome: "task", waits: true },
    { fireAt: at(20), outcome: "skipped", waits: false },
    { fireAt: at(25), outcome: "skipped", waits: false },
    { fireAt: at(30), outcome: "task", waits: true },
  ];
  expect(shiftFires({ ...schedule, ...mark }, ahead, NOW)).toEqual({
    removed: [15, 20, 25].map(at),
    added: [20, 40].map(at),
    nextFireAt: at(10),
  });
});

test("a fire that now comes before a mark far ahead is found", () => {
  const schedule = { id: 7n, rule: { ...rule, cron: "0 3 1 1 *" }, catchUp, paused: false };
  const fireAt = Date.UTC(2027, 0, 1, 2);
  const mark = { plannedUntil: fireAt + 3_600_000 - 1, firesSoFar: 0 };
  expect(shiftFires({ ...schedule, ...mark }, [], NOW)).toEqual({ removed: [], added: [fireAt], nextFireAt: fireAt });
});
