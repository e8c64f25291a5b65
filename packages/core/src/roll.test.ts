import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Calendar, type CalendarInput, type NamedCalendar, readCalendar, weekdays } from "./calendar.ts";
import { coveredFrom, coveredUntil } from "./calendar-cover.ts";
import { explainFire } from "./explain-fire.ts";
import { formatInstant, formatLocal, parseInstant } from "./instant.ts";
import { type PlanningSchedule, planFires } from "./plan.ts";
import { previewSchedule } from "./preview.ts";
import { MOST_DAYS } from "./roll.ts";
import { validateRule } from "./rule.ts";
import { defaultDst, firesBetween, jitteredDueAt, nextFireAt, placedBetween, type ScheduleRule } from "./schedule.ts";
import { describeRule } from "./words.ts";
import { offsetAt } from "./zone.ts";

const at = (text: string) => parseInstant(text)!;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function calendar(input: Partial<CalendarInput>): Calendar {
  const read = readCalendar({ timeZone: "Europe/Paris", weekly: [], dates: [], ranges: [], ics: null, ...input });
  if ("errors" in read) throw new Error(JSON.stringify(read.errors));
  return read.calendar;
}
const named = (name: string, input: Partial<CalendarInput>): NamedCalendar => ({ name, calendar: calendar(input) });
const included = (name: string, input: Partial<CalendarInput>): NamedCalendar => ({
  ...named(name, input),
  included: true,
});

const weekends = named("weekends", { weekly: [{ days: ["SAT", "SUN"], from: "00:00", to: "24:00" }] });
const holidays = named("holidays", { dates: ["2026-12-25", "2027-01-01"] });
const office = included("office", { weekly: [{ days: ["MON", "TUE", "WED"], from: "08:00", to: "18:00" }] });
const night = included("night", { weekly: [{ days: ["FRI"], from: "22:00", to: "06:00" }] });

const monthly: ScheduleRule = {
  cron: "0 9 1 * *",
  every: null,
  timeZone: "Europe/Paris",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const daily: ScheduleRule = { ...monthly, cron: "0 9 * * *" };

/** The first ones after an instant, on the clock of the rule's zone. */
const coming = (rule: ScheduleRule, after: string, count: number, calendars: NamedCalendar[]) =>
  firesBetween(rule, at(after), Number.POSITIVE_INFINITY, count, calendars).map((fire) =>
    formatLocal(fire, rule.timeZone).slice(0, 16),
  );

describe("with included calendars, a schedule fires", () => {
  test("only when one of them covers the instant", () => {
    expect(coming({ ...daily, cron: "0 7,9 * * *" }, "2026-12-01T00:00:00Z", 4, [office])).toEqual([
      "2026-12-01T09:00",
      "2026-12-02T09:00",
      "2026-12-07T09:00",
      "2026-12-08T09:00",
    ]);
    expect(coming({ ...daily, cron: "0 5,9 * * *" }, "2026-12-02T00:00:00Z", 3, [office, night])).toEqual([
      "2026-12-02T09:00",
      "2026-12-05T05:00",
      "2026-12-07T09:00",
    ]);
  });

  test("not when an excluded one covers it too", () => {
    const closed = named("closed", { dates: ["2026-12-02"] });
    expect(coming(daily, "2026-12-01T12:00:00Z", 1, [closed, office])).toEqual(["2026-12-07T09:00"]);
  });

  test("never when they cover nothing, and nobody searches for long", () => {
    const never = included("never", {});
    const past = included("past", { dates: ["2020-01-01"] });
    for (const rule of [daily, { ...daily, cron: null, every: "1s" }, { ...daily, roll: "next" as const }]) {
      expect(nextFireAt(rule, at("2026-12-01T00:00:00Z"), [never, past])).toBeNull();
    }
  });

  test("with the first fire at the very beginning of a stretch, years ahead", () => {
    const far = included("far", { ranges: [{ from: "2041-05-03T09:00", to: "2041-05-03T10:00" }] });
    for (const rule of [daily, { ...daily, cron: null, every: "1s" }]) {
      expect(coming(rule, "2026-12-01T00:00:00Z", 1, [far])).toEqual(["2041-05-03T09:00"]);
    }
  });

  test("and the ledger says of the others that none included them", () => {
    expect(placedBetween(daily, at("2026-12-02T12:00:00Z"), at("2026-12-03T12:00:00Z"), 9, [office])).toEqual([
      { fireAt: at("2026-12-03T08:00:00Z"), rolledFrom: null, takenOut: "not_included" },
    ]);
  });
});

test("where a stretch begins is where the cover does, in every year", () => {
  const rare = calendar({ ranges: [{ from: "2031-02-03T04:05", to: "2031-02-04" }] });
  const begins = at("2031-02-03T04:05[Europe/Paris]");
  expect(coveredFrom(rare, at("2026-01-01T00:00:00Z"))).toBe(begins);
  expect(coveredFrom(rare, begins + 1)).toBe(begins + 1);
  expect([coveredUntil(rare, begins - 1), coveredFrom(rare, begins - 1)]).toEqual([null, begins]);
  expect(coveredFrom(rare, at("2031-02-04T00:00[Europe/Paris]"))).toBe(Number.POSITIVE_INFINITY);
});

describe("a fire that calendars take out", () => {
  const rolled = (roll: "next" | "previous", changes: Partial<ScheduleRule> = {}) => ({ ...monthly, roll, ...changes });

  test("goes to the next or the previous day that they leave, at the same time, over the end of a month and a year", () => {
    const calendars = [weekends, holidays];
    // 1 November 2026 is a Sunday, 1 January 2027 a Friday and a holiday, 1 May 2027 a Saturday.
    expect(coming(rolled("next"), "2026-10-20T00:00:00Z", 3, calendars)).toEqual([
      "2026-11-02T09:00",
      "2026-12-01T09:00",
      "2027-01-04T09:00",
    ]);
    expect(coming(rolled("previous"), "2026-10-20T00:00:00Z", 3, calendars)).toEqual([
      "2026-10-30T09:00",
      "2026-12-01T09:00",
      "2026-12-31T09:00",
    ]);
  });

  test("goes to a day that the calendars include", () => {
    expect(coming(rolled("next"), "2026-10-20T00:00:00Z", 1, [office])).toEqual(["2026-11-02T09:00"]);
    expect(coming(rolled("previous"), "2026-10-20T00:00:00Z", 1, [office])).toEqual(["2026-10-28T09:00"]);
  });

  test("is one with what fires there anyway, and with others that are moved there", () => {
    for (const roll of ["next", "previous"] as const) {
      expect(coming({ ...daily, roll }, "2026-11-19T12:00:00Z", 4, [weekends])).toEqual([
        "2026-11-20T09:00",
        "2026-11-23T09:00",
        "2026-11-24T09:00",
        "2026-11-25T09:00",
      ]);
    }
    const weekend = { ...daily, cron: "0 9 * * SAT,SUN", roll: "next" as const };
    const [monday] = placedBetween(weekend, at("2026-11-19T12:00:00Z"), at("2026-11-27T00:00:00Z"), 9, [weekends]);
    expect(monday).toEqual({
      fireAt: at("2026-11-23T08:00:00Z"),
      rolledFrom: at("2026-11-21T08:00:00Z"),
      takenOut: null,
    });
    expect(placedBetween(weekend, at("2026-11-19T12:00:00Z"), at("2026-11-27T00:00:00Z"), 9, [weekends])).toHaveLength(
      1,
    );
  });

  test("may pass the rule's own fires on the way, in the order of the instants that come of it", () => {
    // Saturday 08:00 goes back before Friday 20:00.
    const rule = { ...daily, cron: null, rules: [{ cron: "0 20 * * FRI" }, { cron: "0 8 * * SAT" }] };
    expect(coming({ ...rule, roll: "previous" }, "2026-11-19T12:00:00Z", 3, [weekends])).toEqual([
      "2026-11-20T08:00",
      "2026-11-20T20:00",
      "2026-11-27T08:00",
    ]);
  });

  test("keeps its time on the clock when that changes on the way", () => {
    // The clock goes forward in the night to Sunday 29 March 2026, back in the night to Sunday 25 October.
    const rule = { ...daily, cron: "0 9 * * SAT", roll: "next" as const };
    expect(firesBetween(rule, at("2026-03-27T12:00:00Z"), at("2026-03-31T00:00:00Z"), 9, [weekends])).toEqual([
      at("2026-03-30T07:00:00Z"),
    ]);
    expect(firesBetween(rule, at("2026-10-23T12:00:00Z"), at("2026-10-27T00:00:00Z"), 9, [weekends])).toEqual([
      at("2026-10-26T08:00:00Z"),
    ]);
  });

  test("follows the policy where its time does not exist or comes twice on the day that it goes to", () => {
    const saturdays = named("saturdays", { weekly: [{ days: ["SAT"], from: "00:00", to: "24:00" }] });
    const rule = { ...daily, cron: "30 2 * * SAT", roll: "next" as const };
    const on = (dst: ScheduleRule["dst"], from: string) =>
      formatLocal(nextFireAt({ ...rule, dst }, at(from), [saturdays])!, "Europe/Paris").slice(8, 22);
    const spring = "2026-03-27T12:00:00Z";
    expect(on({ gap: "next", overlap: "first" }, spring)).toBe("29T03:00:00+02");
    expect(on({ gap: "shift", overlap: "first" }, spring)).toBe("29T03:30:00+02");
    expect(on({ gap: "skip", overlap: "first" }, spring)).toBe("30T02:30:00+02");
    const autumn = "2026-10-23T12:00:00Z";
    expect(on({ gap: "next", overlap: "first" }, autumn)).toBe("25T02:30:00+02");
    expect(on({ gap: "next", overlap: "second" }, autumn)).toBe("25T02:30:00+01");
    expect(on({ gap: "next", overlap: "both" }, autumn)).toBe("25T02:30:00+02");
  });

  test(`stays where it is, skipped, when ${MOST_DAYS} days have no place for it`, () => {
    const shut = (days: number) =>
      named("shut", {
        ranges: [
          { from: "2026-11-01", to: new Date(at("2026-11-01T00:00:00Z") + days * DAY).toISOString().slice(0, 10) },
        ],
      });
    const before = at("2026-10-31T00:00:00Z");
    const first = (days: number) => placedBetween(rolled("next"), before, Number.POSITIVE_INFINITY, 1, [shut(days)])[0];
    expect(first(MOST_DAYS)).toEqual({
      fireAt: at("2026-12-02T08:00:00Z"),
      rolledFrom: at("2026-11-01T08:00:00Z"),
      takenOut: null,
    });
    expect(first(MOST_DAYS + 1)).toEqual({
      fireAt: at("2026-11-01T08:00:00Z"),
      rolledFrom: null,
      takenOut: "excluded:shut",
    });
  });

  test("is not moved out of the schedule's own time", () => {
    const rule = { startAt: "2026-10-31T00:00:00Z", endAt: "2026-11-02T08:00:00Z" };
    for (const roll of ["next", "previous"] as const) {
      expect(placedBetween(rolled(roll, rule), 0, at("2027-01-01T00:00:00Z"), 9, [weekends])).toEqual([
        { fireAt: at("2026-11-01T08:00:00Z"), rolledFrom: null, takenOut: "excluded:weekends" },
      ]);
    }
  });

  test("leaves the jitter of the one before no further than where it goes to", () => {
    const rule = { ...daily, cron: null, rules: [{ cron: "30 7 * * FRI" }, { cron: "31 7 * * SAT" }], jitter: "1d" };
    const friday = at("2026-11-20T06:30:00Z");
    const latest = (calendars: NamedCalendar[]) =>
      Math.max(
        ...[...Array(50).keys()].map((id) =>
          jitteredDueAt({ ...rule, roll: "previous" }, BigInt(id), friday, calendars),
        ),
      );
    expect(latest([weekends])).toBeLessThan(friday + 60_000);
    expect(latest([])).toBeGreaterThan(friday + 60_000);
  });

  test("is shown by a preview with where it comes from, and said in words", () => {
    const preview = previewSchedule(rolled("next"), at("2026-10-20T00:00:00Z"), 2, [weekends]);
    expect(preview.fires.map((fire) => [fire.at, fire.rolledFrom])).toEqual([
      ["2026-11-02T08:00:00.000Z", "2026-11-01T08:00:00.000Z"],
      ["2026-12-01T08:00:00.000Z", null],
    ]);
    expect(describeRule(rolled("previous"))).toBe(
      "At 09:00, on day 1 of the month; where calendars take it out, on the previous day on which they do not",
    );
  });
});

describe("a planner", () => {
  const schedule = (changes: Partial<PlanningSchedule>): PlanningSchedule => ({
    id: 1n,
    rule: { ...monthly, roll: "previous" },
    catchUp: { policy: "last", windowMs: 7 * DAY, limit: 100 },
    calendars: [weekends],
    plannedUntil: at("2026-10-20T00:00:00Z"),
    firesSoFar: 0,
    tasksAhead: [],
    paused: false,
    until: null,
    ...changes,
  });
  const plan = (given: PlanningSchedule, now: string) =>
    planFires(given, { now: at(now), horizonMs: 60_000, aliveSince: given.plannedUntil, limit: 100 });

  test("makes the task of a fire that is moved back where it goes to, and looks again no later than that", () => {
    const quiet = plan(schedule({}), "2026-10-21T00:00:00Z");
    expect(quiet).toMatchObject({
      fires: [],
      plannedUntil: at("2026-10-30T08:00:00Z") - 1,
      nextFireAt: at("2026-10-30T08:00:00Z"),
    });
    const then = plan(schedule({ plannedUntil: quiet.plannedUntil }), "2026-10-30T07:59:30Z");
    expect(then.fires).toEqual([
      {
        fireAt: at("2026-10-30T08:00:00Z"),
        dueAt: at("2026-10-30T08:00:00Z"),
        outcome: "task",
        reason: "rolled:2026-11-01T08:00:00.000Z",
        caughtUp: false,
      },
    ]);
    expect(then.plannedUntil).toBe(at("2026-12-01T08:00:00Z") - 1);
  });

  test("counts towards maxFires in the order of the instants that come of it", () => {
    const rule: ScheduleRule = {
      ...monthly,
      cron: null,
      rules: [{ cron: "0 20 * * FRI" }, { cron: "0 8 * * SAT" }],
      roll: "previous",
      maxFires: 1,
    };
    expect(plan(schedule({ rule }), "2026-11-01T00:00:00Z").fires).toMatchObject([
      { fireAt: at("2026-10-23T06:00:00Z"), reason: "rolled:2026-10-24T06:00:00.000Z" },
    ]);
  });

  test("comes to the same whether it goes on by days or by minutes, and skips what a pause does", () => {
    const rule: ScheduleRule = { ...daily, cron: "0 9,17 * * *", roll: "next" };
    const whole = plan(schedule({ rule, calendars: [holidays, office] }), "2026-11-20T00:00:00Z");
    const pieces = [];
    let given = schedule({ rule, calendars: [holidays, office] });
    for (let now = given.plannedUntil; now <= at("2026-11-20T00:00:00Z"); now += 5 * HOUR + 17 * 60_000) {
      const piece = plan(given, formatInstant(now));
      pieces.push(...piece.fires);
      given = { ...given, plannedUntil: piece.plannedUntil };
    }
    expect(pieces).toEqual(whole.fires);
    const paused = plan(schedule({ rule, calendars: [holidays, office], paused: true }), "2026-11-20T00:00:00Z");
    expect(paused.fires.map(({ fireAt }) => fireAt)).toEqual(whole.fires.map(({ fireAt }) => fireAt));
    expect(new Set(paused.fires.map(({ reason }) => reason))).toEqual(new Set(["paused"]));
  });
});

describe("an explanation", () => {
  const explain = (instant: string, changes: object = {}) =>
    explainFire({
      now: at("2026-10-20T00:00:00Z"),
      at: at(instant),
      schedule: {
        id: 1n,
        version: 1,
        rule: { ...monthly, roll: "next" },
        calendars: [weekends],
        overlap: "allow",
        catchUp: { policy: "last", windowMs: DAY, limit: 1 },
        paused: false,
        pause: null,
        fires: 0,
        plannedUntil: at("2026-10-20T00:00:00Z"),
        nextFireAt: null,
        createdAt: 0,
        updatedAt: 0,
      },
      fire: null,
      task: null,
      downtime: null,
      ...changes,
    });

  test("says where a fire is moved to, and by which calendar", () => {
    const { summary, reasons } = explain("2026-11-01T09:00[Europe/Paris]");
    expect(summary).toBe(
      "The fire of 2026-11-01T09:00:00+01:00[Europe/Paris] is moved to 2026-11-02T09:00:00+01:00[Europe/Paris]: the calendar weekends, which the schedule excludes, covers it.",
    );
    expect(reasons).toMatchObject([{ code: "rolled", refs: ["2026-11-02T08:00:00.000Z", "weekends"] }]);
  });

  test("says where it comes from, when it is expected and when it has its task", () => {
    const from =
      "it was moved there from 2026-11-01T09:00:00+01:00[Europe/Paris], where the calendar weekends, which the schedule excludes, covers it.";
    expect(explain("2026-11-02T09:00[Europe/Paris]").summary).toBe(
      `The fire of 2026-11-02T09:00:00+01:00[Europe/Paris] is expected: its task is made shortly before; ${from}`,
    );
    const fire = { outcome: "task", reason: "rolled:2026-11-01T08:00:00.000Z", caughtUp: false, version: 1 };
    expect(explain("2026-11-02T09:00[Europe/Paris]", { fire }).summary).toContain(from);
  });

  test("says that no included calendar covers it, and what the neighbours are", () => {
    const schedule = {
      ...{ id: 1n, version: 1, rule: daily, calendars: [office], paused: false, pause: null, fires: 0 },
      ...{ catchUp: { policy: "last", windowMs: DAY, limit: 1 }, createdAt: 0, updatedAt: 0 },
      plannedUntil: at("2026-10-20T00:00:00Z"),
    };
    expect(explain("2026-11-05T09:00[Europe/Paris]", { schedule }).reasons).toMatchObject([
      { code: "not_included", refs: [] },
      { code: "next_fire", refs: ["2026-11-09T08:00:00.000Z"] },
    ]);
  });
});

test("a rule with more than 12 fires a day is not moved to other days", () => {
  const check = (rule: Partial<ScheduleRule>) =>
    validateRule({ ...monthly, cron: null, roll: "next", ...rule }).map(({ pointer, code }) => `${pointer} ${code}`);
  const refused = ["/roll roll_too_frequent"];
  expect(check({ cron: "0 */2 * * *" })).toEqual([]);
  expect(check({ cron: "0 * * * *" })).toEqual(refused);
  expect(check({ cron: "0 * * * *", roll: undefined as never })).toEqual([]);
  expect(check({ cron: "0 0 9 1 1 * 2027" })).toEqual([]);
  expect(check({ every: "2h" })).toEqual([]);
  expect(check({ every: "119m" })).toEqual(refused);
  expect(check({ rules: [{ cron: "0 */2 * * *" }, { cron: "30 0 * * *" }] })).toEqual(refused);
  expect(check({ rrule: "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9,17" })).toEqual([]);
  expect(check({ rrule: "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,1,2,3,4,5,6,7,8,9,10,11,12" })).toEqual(refused);
  expect(check({ rrule: "FREQ=MINUTELY;INTERVAL=120" })).toEqual([]);
  expect(check({ rrule: "FREQ=MINUTELY;INTERVAL=30" })).toEqual(refused);
  expect(check({ rrule: "FREQ=HOURLY;INTERVAL=6;BYMINUTE=0,10,20" })).toEqual([]);
  expect(check({ rrule: "FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0" })).toEqual([]);
});

// ------------------------------------------------------------------------------------------------ against a look at each day

const zones = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago"];
const rules = fc.record({
  source: fc.constantFrom<Partial<ScheduleRule>[]>(
    { cron: "0 9 * * *" },
    { cron: "30 2 * * SAT,SUN" },
    { cron: "15 2,23 1,15,31 * *" },
    { cron: "0 0 L * *" },
    { every: "7h" },
    { rules: [{ cron: "0 20 * * FRI" }, { every: "36h" }] },
  ),
  roll: fc.constantFrom("next" as const, "previous" as const),
  timeZone: fc.constantFrom(...zones),
  gap: fc.constantFrom("next" as const, "shift" as const, "skip" as const),
  overlap: fc.constantFrom("first" as const, "second" as const, "both" as const),
});
const clock = fc.constantFrom("00:00", "02:15", "06:00", "09:00", "12:00", "22:00");
const someCalendars = fc.array(
  fc.record({
    timeZone: fc.constantFrom(...zones),
    isIncluded: fc.constantFrom(false, false, true),
    days: fc.subarray([...weekdays], { minLength: 1, maxLength: 5 }),
    from: clock,
    to: fc.constantFrom("24:00", "05:00", "18:00"),
    range: fc.constantFrom(
      null,
      { from: "2026-03-20", to: "2026-04-10" },
      { from: "2026-10-20", to: "2026-11-29T09:00" },
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Whether calendars leave it, asked of each alone. */
function isLeft(calendars: NamedCalendar[], instant: number): boolean {
  const covers = (one: NamedCalendar) => coveredUntil(one.calendar, instant) !== null;
  const inside = calendars.filter((one) => one.included);
  return !calendars.some((one) => !one.included && covers(one)) && (inside.length === 0 || inside.some(covers));
}

/** The instant of a wall time, found by looking at the quarters of an hour around it; changes of these zones are an hour at most. */
function instantOn(zone: string, wall: number, { gap, overlap }: ScheduleRule["dst"]): number | null {
  const shows = (instant: number) => instant + offsetAt(zone, instant) === wall;
  const guess = wall - offsetAt(zone, wall);
  const near = [...Array(25).keys()].map((n) => guess + (n - 12) * 15 * 60_000);
  const found = near.filter(shows);
  if (found.length > 0) return overlap === "second" ? found.at(-1)! : found[0]!;
  if (gap === "skip") return null;
  const change = near.find((instant) => instant + offsetAt(zone, instant) > wall)!;
  return gap === "next" ? change : wall - offsetAt(zone, change - 1);
}

test("whatever the rule, zone and calendars, each fire is on the nearest day that they leave, once", () => {
  fc.assert(
    fc.property(
      rules,
      someCalendars,
      fc.constantFrom("2026-03-10", "2026-10-15", "2026-12-20"),
      (given, made, start) => {
        const { source, roll, timeZone, gap, overlap } = given;
        const rule: ScheduleRule = { ...monthly, cron: null, ...source, roll, timeZone, dst: { gap, overlap } };
        const calendars = made.map(({ timeZone, isIncluded, days, from, to, range }, index) => {
          const read = { timeZone, weekly: [{ days, from, to }], ranges: range ? [range] : [] };
          return isIncluded ? included(`${index}`, read) : named(`${index}`, read);
        });
        const [from, until] = [at(`${start}T00:00:00Z`), at(`${start}T00:00:00Z`) + 25 * DAY];
        const { roll: _, ...still } = rule;
        const places = new Map<number, string>();
        for (const fire of firesBetween(still, from - 40 * DAY, until + 40 * DAY, 10_000)) {
          let place = isLeft(calendars, fire) ? fire : null;
          for (let day = 1; place === null && day <= MOST_DAYS; day++) {
            const wall = fire + offsetAt(timeZone, fire) + (roll === "next" ? day : -day) * DAY;
            const instant = instantOn(timeZone, wall, rule.dst);
            if (instant !== null && isLeft(calendars, instant)) place = instant;
          }
          const at = place ?? fire;
          const what = place === null ? "skipped" : place === fire ? "there" : `from ${fire}`;
          if (at > from && at <= until && (what === "there" || !places.has(at))) places.set(at, what);
        }
        const expected = [...places].sort(([a], [b]) => a - b);
        const found = placedBetween(rule, from, until, 10_000, calendars);
        expect(
          found.map(({ fireAt, rolledFrom, takenOut }) => [
            fireAt,
            takenOut !== null ? "skipped" : rolledFrom === null ? "there" : `from ${rolledFrom}`,
          ]),
        ).toEqual(expected);
        const fires = firesBetween(rule, from, until, 10_000, calendars);
        expect(fires).toEqual(expected.filter(([, what]) => what !== "skipped").map(([fireAt]) => fireAt));
        if (fires.length > 0) expect(nextFireAt(rule, fires[0]! - 1, calendars)).toBe(fires[0]);
      },
    ),
    { numRuns: 60 },
  );
});
