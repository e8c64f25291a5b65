import fc from "fast-check";
import { expect, test } from "vitest";
import { formatInstant, formatLocal, parseInstant } from "./instant.ts";

test.each([
  ["2026-11-21T01:00:00Z", "2026-11-21T01:00:00.000Z"],
  ["2026-11-21t01:00:00.5z", "2026-11-21T01:00:00.500Z"],
  ["2026-11-21T01:00:00.123456789Z", "2026-11-21T01:00:00.123Z"],
  ["2026-11-21T02:00:00+01:00", "2026-11-21T01:00:00.000Z"],
  ["2026-11-20T13:45:00-11:15", "2026-11-21T01:00:00.000Z"],
  ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
  ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
  ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
  ["2026-11-21T02:00[Europe/Paris]", "2026-11-21T01:00:00.000Z"],
  ["2026-11-21T02:00:30.25[europe/paris]", "2026-11-21T01:00:30.250Z"],
  ["2026-11-21T02:00:00+01:00[Europe/Paris]", "2026-11-21T01:00:00.000Z"],
])("%s is %s", (text, instant) => {
  expect(formatInstant(parseInstant(text)!)).toBe(instant);
});

test("a wall time that a change leaves out is the next instant that exists", () => {
  expect(formatInstant(parseInstant("2026-03-29T02:30[Europe/Paris]")!)).toBe("2026-03-29T01:00:00.000Z");
  expect(formatInstant(parseInstant("2011-12-30T12:00[Pacific/Apia]")!)).toBe("2011-12-30T10:00:00.000Z");
});

test("of a wall time that comes twice it is the first, unless the offset says which", () => {
  expect(formatInstant(parseInstant("2026-10-25T02:30[Europe/Paris]")!)).toBe("2026-10-25T00:30:00.000Z");
  expect(formatInstant(parseInstant("2026-10-25T02:30:00+01:00[Europe/Paris]")!)).toBe("2026-10-25T01:30:00.000Z");
});

test.each([
  "",
  "now",
  "2026-11-21",
  "2026-11-21T01:00:00",
  "2026-11-21T01:00Z",
  "2026-11-21 01:00:00Z",
  "2026-11-21T01:00:00 Z",
  "2026-11-21T24:00:00Z",
  "2026-11-21T01:60:00Z",
  "2026-12-31T23:59:60Z",
  "2026-02-29T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-00-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00+01:60",
  "2026-01-01T00:00:00+0100",
  "2026-01-01T00:00:00.Z",
  "2026-01-01T00:00:00,5Z",
  "0000-01-01T00:00:00Z",
  "0050-01-01T00:00:00Z",
  "1969-12-31T23:59:59Z",
  "+012026-01-01T00:00:00Z",
  "10000-01-01T00:00:00Z",
  "9999-12-31T23:59:59-01:00",
  "20261121T010000Z",
  "2026-325T01:00:00Z",
  "2026-W47-6T01:00:00Z",
  "1763683200",
  "2026-11-21T02:00[Mars/Olympus]",
  "2026-11-21T02:00[+01:00]",
  "2026-11-21T02:00[Europe/Paris",
  "2026-11-21T02:00[]",
  "2026-11-21T02:00:00+05:00[Europe/Paris]",
  "2026-11-21T02:00:00+01:00[Europe/Paris][u-ca=gregory]",
  "２０２６-11-21T01:00:00Z",
  "2026-11-21T01:00:00Z\n",
])("%j is no instant", (text) => {
  expect(parseInstant(text)).toBeNull();
});

test("an instant reads back from its text, and from its local text in any zone", () => {
  const zones = Intl.supportedValuesOf("timeZone");
  fc.assert(
    fc.property(
      fc.integer({ min: Date.UTC(1973, 0, 1), max: Date.UTC(2100, 0, 1) }),
      fc.constantFrom(...zones),
      (instant, zone) => {
        expect(parseInstant(formatInstant(instant))).toBe(instant);
        expect(parseInstant(formatLocal(instant, zone))).toBe(instant);
      },
    ),
    { numRuns: 300 },
  );
});

test("local text names wall time, offset and zone", () => {
  expect(formatLocal(Date.UTC(2026, 10, 21, 1), "Europe/Paris")).toBe("2026-11-21T02:00:00+01:00[Europe/Paris]");
  expect(formatLocal(Date.UTC(2026, 10, 21, 1, 0, 0, 5), "UTC")).toBe("2026-11-21T01:00:00.005+00:00[UTC]");
  expect(formatLocal(Date.UTC(2026, 6, 1), "America/St_Johns")).toBe("2026-06-30T21:30:00-02:30[America/St_Johns]");
});
