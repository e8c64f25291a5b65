import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["500ms", 500],
  ["0s", 0],
  ["30s", 30_000],
  ["1h30m", 5_400_000],
  ["90m", 5_400_000],
  ["1w2d3h4m5s6ms", 788_645_006],
  ["24h", 86_400_000],
  ["1d", 86_400_000],
  ["P1D", 86_400_000],
  ["PT1H30M", 5_400_000],
  ["P1W", 604_800_000],
  ["P2DT0.25S", 172_800_250],
  ["PT1.5S", 1_500],
  ["40000d", 36_525 * 86_400_000],
  [`${"9".repeat(60)}h`, 36_525 * 86_400_000],
])("%s is %i ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  "",
  " ",
  "5",
  "1.5h",
  "1h 30m",
  "30m1h",
  "1h1h",
  "-1h",
  "+1h",
  "1H",
  "1y",
  "1mo",
  "P",
  "PT",
  "P1Y",
  "P1M",
  "P1DT",
  "1e3s",
  "١s",
  "1h\n",
  "9".repeat(70),
  "Infinitys",
])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeNull();
});

test.each([
  [0, "0s"],
  [500, "500ms"],
  [1_500, "1s500ms"],
  [5_400_000, "1h30m"],
  [86_400_000, "24h"],
  [129_600_000, "36h"],
  [172_800_000, "2d"],
  [1_209_600_000, "14d"],
  [176_461_001, "2d1h1m1s1ms"],
])("%i ms reads %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("what is written out reads back as the same duration", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3_000_000_000_000 }), (ms) => parseDuration(formatDuration(ms)) === ms),
  );
});
