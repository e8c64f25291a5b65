import { expect, test } from "vitest";
import { viewerZone } from "./instant.ts";
import { isTimeZone, matchZones, timeZones } from "./zones.ts";

const zones = timeZones();

test("the zone picker begins with the viewer's zone, and lists none twice", () => {
  expect(zones[0]).toBe(viewerZone);
  expect(zones.indexOf("UTC")).toBeLessThan(2);
  expect(new Set(zones).size).toBe(zones.length);
});

test.each(["Europe/Paris", "Asia/Kolkata", "Europe/Kyiv", "America/Argentina/Buenos_Aires", "US/Eastern", "Etc/GMT+5"])(
  "%s is listed, whatever names the browser lists by itself",
  (zone) => expect(zones).toContain(zone),
);

test("any name that the browser knows is a zone, what the server refuses is not", () => {
  for (const zone of ["Asia/Calcutta", "europe/paris", "GMT", "Etc/GMT-14"]) expect(isTimeZone(zone), zone).toBe(true);
  for (const zone of ["", "Moon/Tranquility", "+01:00", "CEST", "Europe/Paris "])
    expect(isTimeZone(zone), zone).toBe(false);
});

test("what is typed is found first as the name itself, then at the beginning of a part of it", () => {
  expect(matchZones(zones, "utc")[0]).toBe("UTC");
  expect(matchZones(zones, "new york")).toEqual(["America/New_York"]);
  expect(matchZones(["Europe/Budapest", "Africa/Dakar"], "EST")).toEqual(["EST", "Europe/Budapest"]);
  expect(matchZones(["Europe/Budapest", "Asia/Urumqi", "Europe/Ulyanovsk"], "u")).toEqual([
    "Asia/Urumqi",
    "Europe/Ulyanovsk",
    "Europe/Budapest",
  ]);
});
