import { expect, test } from "vitest";
import { formatDuration, formatRelative } from "./duration.ts";

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1_449, "1.4 s"],
  [9_999, "9.9 s"],
  [59_999, "59 s"],
  [185_000, "3 m 5 s"],
  [7_200_000, "2 h"],
  [7_800_000, "2 h 10 m"],
  [356_400_000, "4 d 3 h"],
  [-2_000, "−2.0 s"],
])("%d ms read as %s", (ms, words) => {
  expect(formatDuration(ms)).toBe(words);
});

test("a relative time names its direction, and less than a second is now", () => {
  expect(formatRelative(15_000, 10_000)).toBe("in 5 s");
  expect(formatRelative(10_000, 22_000)).toBe("12 s ago");
  expect(formatRelative(10_000, 10_400)).toBe("now");
  expect(formatRelative(10_000 + 90 * 60_000, 10_000)).toBe("in 1 h 30 m");
});
