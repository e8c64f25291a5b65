import { describe, expect, test } from "vitest";
import { type CalendarInput, type NamedCalendar, readCalendar, weekdays } from "./calendar.ts";
import type { CatchUp } from "./catch-up.ts";
import { parseInstant } from "./instant.ts";
import { type PlanningSchedule, planFires } from "./plan.ts";
import { previewSchedule } from "./preview.ts";
import { defaultDst, firesBetween, nextFireAt, type ScheduleRule } from "./schedule.ts";

const at = (text: string) => parseInstant(text)!;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function named(name: string, input: Partial<CalendarInput>): NamedCalendar {
  const read = readCalendar({ timeZone: "UTC", weekly: [], dates: [], ranges: [], ics: null, ...input });
  if ("errors" in read) throw new Error(JSON.stringify(read.errors));
  return { name, calendar: read.calendar };
}

const weekends = named("weekends", { weekly: [{ days: ["SAT", "SUN"], from: "00:00", to: "24:00" }] });
const christmas = named("christmas", { ranges: [{ from: "2026-12-24", to: "2026-12-27" }] });
const always = named("always", { weekly: [{ days: [...weekdays], from: "00:00", to: "24:00" }] });

const daily: ScheduleRule = {
  cron: "0 9 * * *",
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const everySecond: ScheduleRule = { ...daily, cron: null, every: "1s" };

describe("the next fire", () => {
  test("is the first that none of the calendars covers", () => {
    const excludes = [weekends, christmas];
    expect(firesBetween(daily, at("2026-12-22T12:00:00Z"), at("2026-12-31T00:00:00Z"), 9, excludes)).toEqual(
      ["2026-12-23", "2026-12-28", "2026-12-29", "2026-12-30"].map((day) => at(`${day}T09:00:00Z`)),
    );
  });

  test("may be the instant at which a stretch ends", () => {
    const nights = named("nights", { weekly: [{ days: [...weekdays], from: "22:00", to: "09:00" }] });
    expect(nextFireAt(daily, at("2026-11-20T09:00:00Z"), [nights])).toBe(at("2026-11-21T09:00:00Z"));
  });

  test("is found at once behind years of seconds", () => {
    const years = named("years", { ranges: [{ from: "2020-01-01", to: "2050-01-01" }] });
    const startedAt = performance.now();
    expect(nextFireAt(everySecond, at("2026-11-20T00:00:00Z"), [years])).toBe(at("2050-01-01T00:00:00Z"));
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  test("is none when everything is covered, and nobody searches for long", () => {
    const mornings = named("mornings", { weekly: [{ days: [...weekdays], from: "08:00", to: "10:00" }] });
    const startedAt = performance.now();
    for (const [rule, calendar] of [
      [daily, always],
      [everySecond, always],
      [daily, mornings],
      [{ ...daily, cron: "0 9 29 2 *" }, mornings],
    ] as const) {
      expect(nextFireAt(rule, at("2026-11-20T00:00:00Z"), [calendar])).toBeNull();
    }
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("is looked for within a moment whatever a calendar is made of", () => {
    const minutes = Array.from({ length: 50 }, (_, n) => ({
      days: [...weekdays],
      from: `08:${10 + n}`,
      to: `09:${10 + n}`,
    }));
    const events = Array.from(
      { length: 2_000 },
      (_, n) => `BEGIN:VEVENT\nDTSTART:1999${n % 2 ? "1225" : "0101"}\nRRULE:FREQ=YEARLY\nEND:VEVENT`,
    );
    const dense = named("dense", { weekly: minutes, ics: `BEGIN:VCALENDAR\n${events.join("\n")}\nEND:VCALENDAR` });
    const startedAt = performance.now();
    expect(nextFireAt({ ...daily, cron: "0 9 25 12 *" }, at("2026-11-20T00:00:00Z"), [dense])).toBeNull();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("is what a preview shows, with a warning when there is none", () => {
    const shown = previewSchedule(daily, at("2026-11-20T12:00:00Z"), 2, [weekends]);
    expect(shown.fires.map((fire) => fire.at.slice(0, 10))).toEqual(["2026-11-23", "2026-11-24"]);
    expect(previewSchedule(daily, 0, 2, [always]).warnings).toMatchObject([{ code: "never_fires" }]);
  });
});

describe("a planner", () => {
  const NOW = at("2026-11-20T12:00:00Z"); // A Friday.
  const last: CatchUp = { policy: "last", windowMs: 7 * DAY, limit: 100 };
  const schedule = (changes: Partial<PlanningSchedule> = {}): PlanningSchedule => {
    const none = { firesSoFar: 0, tasksAhead: [], paused: false, until: null };
    return { id: 1n, rule: daily, catchUp: last, calendars: [weekends], plannedUntil: NOW, ...none, ...changes };
  };
  const outcomes = (given: PlanningSchedule, now: number, aliveSince: number) =>
    planFires(given, { now, horizonMs: 60_000, aliveSince, limit: 1_000 }).fires.map(
      ({ fireAt, outcome, reason, caughtUp }) =>
        `${new Date(fireAt).toISOString().slice(8, 10)} ${caughtUp ? "caught up" : outcome}${reason ? ` ${reason}` : ""}`,
    );

  test("writes down what a calendar skips, and its name", () => {
    expect(outcomes(schedule(), at("2026-11-23T12:00:00Z"), NOW)).toEqual([
      "21 skipped excluded:weekends",
      "22 skipped excluded:weekends",
      "23 task",
    ]);
  });

  test("says that a paused schedule is paused", () => {
    expect(outcomes(schedule({ paused: true }), at("2026-11-21T12:00:00Z"), NOW)).toEqual(["21 skipped paused"]);
  });

  test("catches nothing up that a calendar skips", () => {
    const sunday = at("2026-11-22T12:00:00Z");
    const given = schedule({ plannedUntil: at("2026-11-19T12:00:00Z") });
    expect(outcomes(given, sunday, sunday)).toEqual([
      "20 caught up",
      "21 skipped excluded:weekends",
      "22 skipped excluded:weekends",
    ]);
  });

  test("chooses the same of a missed stretch however it is cut", () => {
    const monday = at("2026-11-23T08:00:00Z");
    const given = schedule({ plannedUntil: at("2026-11-16T12:00:00Z") });
    const time = { now: monday, horizonMs: 60_000, aliveSince: monday };
    const whole = planFires(given, { ...time, limit: 100 }).fires;
    const pieces = [];
    for (let mark = given.plannedUntil, more = true; more; ) {
      const plan = planFires({ ...given, plannedUntil: mark }, { ...time, limit: 1 });
      pieces.push(...plan.fires);
      [mark, more] = [plan.plannedUntil, plan.more];
    }
    expect(pieces).toEqual(whole);
    expect(whole.filter((fire) => fire.caughtUp)).toHaveLength(1);
  });

  test("does not count what a calendar skips towards maxFires", () => {
    const given = schedule({ rule: { ...daily, maxFires: 1 } });
    const plan = planFires(given, { now: at("2026-11-24T12:00:00Z"), horizonMs: 0, aliveSince: NOW, limit: 100 });
    expect(plan.fires.map(({ outcome }) => outcome)).toEqual(["skipped", "skipped", "task"]);
    expect(plan.nextFireAt).toBeNull();
  });

  test("looks again before the next fire, covered or not, and names the next that is not", () => {
    const plan = planFires(schedule(), { now: NOW, horizonMs: 60_000, limit: 100 });
    expect(plan).toMatchObject({
      fires: [],
      plannedUntil: at("2026-11-21T09:00:00Z") - 1,
      nextFireAt: at("2026-11-23T09:00:00Z"),
    });
  });
});
