import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Calendar, type CalendarInput, readCalendar, weekdays } from "./calendar.ts";
import { coveredUntil } from "./calendar-cover.ts";
import { formatLocal, parseInstant } from "./instant.ts";
import { offsetAt, transitionsBetween } from "./zone.ts";

const at = (text: string) => parseInstant(text)!;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function calendar(input: Partial<CalendarInput> = {}): Calendar {
  const read = readCalendar({ timeZone: "Europe/Paris", weekly: [], dates: [], ranges: [], ics: null, ...input });
  if ("errors" in read) throw new Error(JSON.stringify(read.errors));
  return read.calendar;
}

const nights: CalendarInput["weekly"] = [{ days: [...weekdays], from: "22:00", to: "06:00" }];
const weekends: CalendarInput["weekly"] = [{ days: ["SAT", "SUN"], from: "00:00", to: "24:00" }];

/** When the cover of this wall time in Paris ends, there. */
function endOf(given: Calendar, wall: string): string | null {
  const end = coveredUntil(given, at(`${wall}[Europe/Paris]`));
  return end === null ? null : formatLocal(end, "Europe/Paris").slice(0, 22);
}

test("a calendar without anything covers nothing", () => {
  expect(coveredUntil(calendar(), at("2026-12-25T12:00:00Z"))).toBeNull();
});

test("a date is the zone's own day", () => {
  const christmas = calendar({ dates: ["2026-12-25"] });
  expect(endOf(christmas, "2026-12-24T23:59")).toBeNull();
  expect(endOf(christmas, "2026-12-25T00:00")).toBe("2026-12-26T00:00:00+01");
  expect(endOf(christmas, "2026-12-25T23:59")).toBe("2026-12-26T00:00:00+01");
  expect(endOf(christmas, "2026-12-26T00:00")).toBeNull();
});

test("a day has 23 hours when the clock goes forward and 25 when it goes back", () => {
  const spring = calendar({ dates: ["2026-03-29"] });
  expect(coveredUntil(spring, at("2026-03-28T23:00:00Z"))! - at("2026-03-28T23:00:00Z")).toBe(23 * HOUR);
  const autumn = calendar({ dates: ["2026-10-25"] });
  expect(coveredUntil(autumn, at("2026-10-24T22:00:00Z"))! - at("2026-10-24T22:00:00Z")).toBe(25 * HOUR);
});

test("a day that begins with a gap begins after it, and one that never was covers nothing", () => {
  const santiago = calendar({ timeZone: "America/Santiago", dates: ["2026-09-06"] });
  expect(coveredUntil(santiago, at("2026-09-06T04:00:00Z"))).toBe(at("2026-09-07T03:00:00Z"));
  expect(coveredUntil(santiago, at("2026-09-06T03:59:59Z"))).toBeNull();
  const apia = calendar({ timeZone: "Pacific/Apia", dates: ["2011-12-30"] });
  for (let hour = 0; hour < 96; hour++) expect(coveredUntil(apia, at("2011-12-29T00:00:00Z") + hour * HOUR)).toBeNull();
});

test("a window that passes midnight covers the night", () => {
  const given = calendar({ weekly: nights });
  expect(endOf(given, "2026-11-20T21:59")).toBeNull();
  expect(endOf(given, "2026-11-20T22:00")).toBe("2026-11-21T06:00:00+01");
  expect(endOf(given, "2026-11-21T05:59")).toBe("2026-11-21T06:00:00+01");
  expect(endOf(given, "2026-11-21T06:00")).toBeNull();
  const friday = calendar({ weekly: [{ days: ["FRI"], from: "22:00", to: "06:00" }] });
  expect(endOf(friday, "2026-11-21T03:00")).toBe("2026-11-21T06:00:00+01");
  expect(endOf(friday, "2026-11-20T03:00")).toBeNull();
});

test("a window covers both times that the clock shows it, and nothing in between", () => {
  const given = calendar({ weekly: [{ days: ["SUN"], from: "02:00", to: "02:30" }] });
  // On 25 October 2026 Paris has 02:00 to 03:00 twice, from 00:00Z and from 01:00Z on.
  expect(coveredUntil(given, at("2026-10-25T00:15:00Z"))).toBe(at("2026-10-25T00:30:00Z"));
  expect(coveredUntil(given, at("2026-10-25T00:45:00Z"))).toBeNull();
  expect(coveredUntil(given, at("2026-10-25T01:15:00Z"))).toBe(at("2026-10-25T01:30:00Z"));
  expect(coveredUntil(given, at("2026-10-25T01:30:00Z"))).toBeNull();
});

test("what touches is one stretch: a Friday night goes over into the weekend and its last night", () => {
  const given = calendar({ weekly: [...nights, ...weekends] });
  expect(endOf(given, "2026-11-20T22:30")).toBe("2026-11-23T06:00:00+01");
});

test("a range begins and ends at a date or at a time, its end not included", () => {
  const given = calendar({ ranges: [{ from: "2026-12-24T14:00", to: "2027-01-02" }] });
  expect(endOf(given, "2026-12-24T13:59")).toBeNull();
  expect(endOf(given, "2026-12-24T14:00")).toBe("2027-01-02T00:00:00+01");
  expect(endOf(given, "2027-01-02T00:00")).toBeNull();
});

test("a stretch of years is passed in one step, and one of decades has no end", () => {
  const long = calendar({ ranges: [{ from: "2000-01-01", to: "2050-01-01" }] });
  expect(endOf(long, "2026-06-01T00:00")).toBe("2050-01-01T00:00:00+01");
  const always = calendar({ weekly: [{ days: [...weekdays], from: "00:00", to: "24:00" }] });
  expect(coveredUntil(always, at("2026-06-01T00:00:00Z"))).toBe(Number.POSITIVE_INFINITY);
});

describe("what is wrong is named", () => {
  const good = { timeZone: "UTC", weekly: [], dates: [], ranges: [], ics: null };
  test.each<[what: string, input: Partial<CalendarInput>, pointer: string, code: string]>([
    ["a zone that there is not", { timeZone: "Mars/Olympus" }, "/timeZone", "unknown_time_zone"],
    [
      "a time that there is not",
      { weekly: [{ days: ["MON"], from: "25:00", to: "06:00" }] },
      "/weekly/0/from",
      "invalid_time",
    ],
    [
      "a beginning at 24:00",
      { weekly: [{ days: ["MON"], from: "24:00", to: "06:00" }] },
      "/weekly/0/from",
      "invalid_time",
    ],
    ["a time without minutes", { weekly: [{ days: ["MON"], from: "08:00", to: "9" }] }, "/weekly/0/to", "invalid_time"],
    ["an empty window", { weekly: [{ days: ["MON"], from: "08:00", to: "08:00" }] }, "/weekly/0/to", "empty_window"],
    ["a day that there is not", { dates: ["2026-12-25", "2026-02-30"] }, "/dates/1", "invalid_date"],
    ["a date with a time", { dates: ["2026-12-25T10:00"] }, "/dates/0", "invalid_date"],
    ["a year far away", { dates: ["9999-12-25"] }, "/dates/0", "invalid_date"],
    [
      "an instant in a range",
      { ranges: [{ from: "2026-12-25T10:00:00Z", to: "2026-12-26" }] },
      "/ranges/0/from",
      "invalid_date",
    ],
    ["a range without an end", { ranges: [{ from: "2026-12-25", to: "" }] }, "/ranges/0/to", "invalid_date"],
    [
      "a range that ends first",
      { ranges: [{ from: "2026-12-25", to: "2026-12-25" }] },
      "/ranges/0/to",
      "ends_before_start",
    ],
    ["text that is no iCalendar", { ics: "holidays" }, "/ics", "invalid_ics"],
  ])("%s", (_, input, pointer, code) => {
    expect(readCalendar({ ...good, ...input })).toMatchObject({ errors: [{ pointer, code }] });
  });

  test("everything at once", () => {
    const errors = readCalendar({ ...good, timeZone: "", dates: ["x", "y"], ranges: [{ from: "a", to: "b" }] });
    expect(errors).toMatchObject({ errors: [{}, {}, {}, {}, {}] });
  });
});

test("the zone's name is written as IANA does", () => {
  expect(calendar({ timeZone: "europe/paris" }).timeZone).toBe("Europe/Paris");
});

// ------------------------------------------------------------------------------------------------- against a look at each instant

const zones = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"];
const clock = fc.constantFrom("00:00", "00:30", "02:00", "02:15", "06:00", "12:00", "22:00", "23:45");
const input = fc.record({
  timeZone: fc.constantFrom(...zones),
  weekly: fc.array(
    fc
      .record({
        days: fc.subarray([...weekdays], { minLength: 1 }),
        from: clock,
        to: fc.oneof(clock, fc.constant("24:00")),
      })
      .filter(({ from, to }) => from !== to),
    { maxLength: 3 },
  ),
  dates: fc.array(fc.constantFrom("2026-03-29", "2026-10-25", "2026-12-31", "2027-01-01", "2026-04-05"), {
    maxLength: 3,
  }),
  ranges: fc.array(
    fc.constantFrom(
      { from: "2026-03-28T02:30", to: "2026-03-29T02:30" },
      { from: "2026-12-30", to: "2027-01-03T12:00" },
      { from: "2026-10-04T01:45", to: "2026-10-04T02:15" },
    ),
    { maxLength: 2 },
  ),
  ics: fc.constant(null),
});

/** By the wall clock alone. */
function isCovered({ timeZone, weekly, dates, ranges }: Calendar, instant: number): boolean {
  const wall = new Date(instant + offsetAt(timeZone, instant)).toISOString();
  const [date, time] = [wall.slice(0, 10), wall.slice(11, 16)];
  const dayBefore = new Date(Date.parse(`${date}T00:00:00Z`) - DAY).toISOString().slice(0, 10);
  const weekday = (day: string) => weekdays[(new Date(day).getUTCDay() + 6) % 7]!;
  return (
    dates.includes(date) ||
    ranges.some(
      ({ from, to }) => wall.slice(0, 16) >= from.padEnd(16, "T00:00") && wall.slice(0, 16) < to.padEnd(16, "T00:00"),
    ) ||
    weekly.some(({ days, from, to }) => {
      if (to > from) return days.includes(weekday(date)) && time >= from && time < to;
      return (days.includes(weekday(date)) && time >= from) || (days.includes(weekday(dayBefore)) && time < to);
    })
  );
}

test("on days when clocks change as on others, covered is what the wall clock says, up to the end that is named", () => {
  const STEP = 15 * 60_000;
  fc.assert(
    fc.property(input, fc.nat(10_000), fc.integer({ min: -200, max: 200 }), (given, pick, steps) => {
      const read = calendar(given);
      const changes = transitionsBetween(given.timeZone, Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)).map(
        (one) => one.at,
      );
      const near = [...changes, Date.UTC(2026, 11, 31), Date.UTC(2026, 6, 1)];
      const instant = Math.floor(near[pick % near.length]! / STEP) * STEP + steps * STEP;
      const end = coveredUntil(read, instant);
      expect(end !== null).toBe(isCovered(read, instant));
      if (end === null) return;
      for (let t = instant; t < Math.min(end, instant + 3 * DAY); t += STEP) expect(isCovered(read, t)).toBe(true);
      if (end === Number.POSITIVE_INFINITY) return;
      expect(end % STEP).toBe(0);
      expect(isCovered(read, end)).toBe(false);
    }),
    { numRuns: 300 },
  );
});
