import { expect, test } from "vitest";
import { wallTime, zoneOffset } from "./instant.ts";

const now = Date.parse("2026-11-21T12:00:00Z");

test("a wall time is that of the zone asked for", () => {
  const at = Date.parse("2026-11-21T01:00:00.123Z");
  expect(wallTime(at, "Europe/Paris", now)).toEqual({
    date: "Sat 21 Nov",
    time: "02:00:00",
    today: true,
    zone: "Europe/Paris",
  });
  expect(wallTime(at, "America/New_York", now)).toMatchObject({ date: "Fri 20 Nov", time: "20:00:00", today: false });
  expect(wallTime(at, "UTC", now, true).time).toBe("01:00:00.123");
});

test("another year is written", () => {
  expect(wallTime(Date.parse("2027-01-01T00:00:00Z"), "UTC", now).date).toBe("Fri 1 Jan 2027");
});

test("midnight is 00:00, not 24:00", () => {
  expect(wallTime(Date.parse("2026-11-21T00:00:00Z"), "UTC", now).time).toBe("00:00:00");
});

test("a zone that the browser does not know is shown in UTC, and says so", () => {
  expect(wallTime(now, "Moon/Tranquility", now)).toMatchObject({ time: "12:00:00", zone: "UTC" });
});

test("an offset is the one at that instant", () => {
  expect(zoneOffset("Europe/Paris", now)).toBe("UTC+01:00");
  expect(zoneOffset("Europe/Paris", Date.parse("2026-07-01T00:00:00Z"))).toBe("UTC+02:00");
  expect(zoneOffset("UTC", now)).toBe("UTC+00:00");
});
