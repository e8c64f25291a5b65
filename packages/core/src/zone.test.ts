import { Temporal } from "temporal-polyfill";
import { expect, test } from "vitest";
import {
  canonicalTimeZone,
  firstInstantOf,
  isFixedOffsetZone,
  isTimeZone,
  offsetAt,
  transitionsBetween,
  wallToInstants,
} from "./zone.ts";

const zones = Intl.supportedValuesOf("timeZone");

test("every zone the runtime knows is a zone, in any case of letters", () => {
  for (const zone of zones) {
    expect(canonicalTimeZone(zone)).toBe(zone);
    expect(canonicalTimeZone(zone.toLowerCase())).toBe(zone);
  }
});

test.each([
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "US/Pacific",
  "GB",
  "UTC",
  "Etc/UTC",
  "Etc/GMT+3",
  "EST",
  "PST8PDT",
  "CET",
])("%s is a zone and keeps its name", (name) => {
  expect(canonicalTimeZone(name)).toBe(name);
});

test.each([
  "",
  " ",
  "Z",
  "local",
  "+01:00",
  "-0500",
  "UTC+1",
  "GMT+25",
  "PST",
  "IST",
  "CEST",
  "BST",
  "Mars/Olympus",
  "Europe/paris ",
  "Europe",
  "Etc/Unknown",
  "SystemV/AST4",
  "Etc/GMT+15",
  "../etc/passwd",
  "__proto__",
  "x".repeat(500),
])("%j is no zone", (name) => {
  expect(isTimeZone(name)).toBe(false);
});

test("zones that only stand for an offset are told apart; UTC by any name is not one of them", () => {
  expect(["Etc/GMT+3", "Etc/GMT-14", "EST", "MST", "HST"].every(isFixedOffsetZone)).toBe(true);
  expect(["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Etc/GMT+0", "Europe/Paris", "EST5EDT"].some(isFixedOffsetZone)).toBe(
    false,
  );
});

test("offsets agree with the runtime's own in every zone, every fifth day of 2020 to 2030", () => {
  const wrong: string[] = [];
  for (const zone of zones) {
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "medium",
    });
    for (let at = Date.UTC(2020, 0, 1, 7); at < Date.UTC(2030, 0, 1); at += 5 * 86_400_000) {
      const shown = /(\d\d)\/(\d\d)\/(\d{4}), (\d\d):(\d\d):(\d\d)/.exec(format.format(at))!;
      const [day, month, year, hour, minute, second] = shown.slice(1).map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      if (Date.UTC(year, month - 1, day, hour, minute, second) - at !== offsetAt(zone, at)) wrong.push(`${zone} ${at}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("changes of the clock agree with Temporal's", () => {
  for (const zone of zones.filter((_, index) => index % 4 === 0)) {
    const mine = transitionsBetween(zone, Date.UTC(2005, 0, 1), Date.UTC(2025, 0, 1)).map(({ at }) => at);
    const theirs: number[] = [];
    let cursor = Temporal.Instant.fromEpochMilliseconds(Date.UTC(2005, 0, 1)).toZonedDateTimeISO(zone);
    for (;;) {
      const next = cursor.getTimeZoneTransition("next");
      if (!next || next.epochMilliseconds > Date.UTC(2025, 0, 1)) break;
      theirs.push(next.epochMilliseconds);
      cursor = next;
    }
    expect(mine, zone).toEqual(theirs);
  }
});

test("two changes within a week are both seen", () => {
  const changes = transitionsBetween("America/Boa_Vista", Date.UTC(2000, 8, 1), Date.UTC(2000, 11, 1));
  expect(changes.map(({ at }) => new Date(at).toISOString())).toEqual([
    "2000-10-08T04:00:00.000Z",
    "2000-10-15T03:00:00.000Z",
  ]);
});

test("a wall time has no, one or two instants", () => {
  expect(wallToInstants("Europe/Paris", Date.UTC(2026, 2, 29, 2, 30))).toEqual([]);
  expect(wallToInstants("Europe/Paris", Date.UTC(2026, 2, 29, 3))).toEqual([Date.UTC(2026, 2, 29, 1)]);
  expect(wallToInstants("Europe/Paris", Date.UTC(2026, 9, 25, 2, 30))).toEqual([
    Date.UTC(2026, 9, 25, 0, 30),
    Date.UTC(2026, 9, 25, 1, 30),
  ]);
  expect(firstInstantOf("Pacific/Apia", Date.UTC(2011, 11, 30, 12))).toBe(Date.UTC(2011, 11, 30, 10));
});

test("an instant belongs to the offset that starts there", () => {
  expect(offsetAt("Europe/Paris", Date.UTC(2026, 2, 29, 1) - 1)).toBe(3_600_000);
  expect(offsetAt("Europe/Paris", Date.UTC(2026, 2, 29, 1))).toBe(7_200_000);
});

test("changes around New Year belong to the right year", () => {
  // Dhaka set its clocks back at midnight of 1 January 2010; Apia had no 30 December 2011.
  expect(transitionsBetween("Asia/Dhaka", Date.UTC(2009, 11, 1), Date.UTC(2010, 1, 1))).toHaveLength(1);
  expect(wallToInstants("Asia/Dhaka", Date.UTC(2009, 11, 31, 23, 30))).toHaveLength(2);
  expect(transitionsBetween("Pacific/Apia", Date.UTC(2011, 11, 1), Date.UTC(2012, 0, 15))).toHaveLength(1);
});
