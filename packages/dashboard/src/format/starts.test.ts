import { expect, test } from "vitest";
import { startWords } from "./starts.ts";

test.each([
  [0, 5, "not started, at most 5 failures"],
  [1, 1, "1st start, at most 1 failure"],
  [2, 1, "2nd start, at most 1 failure"],
  [3, 5, "3rd start, at most 5 failures"],
  [11, 20, "11th start, at most 20 failures"],
])("started %d times with %d failures allowed: %s", (attempt, maxAttempts, words) => {
  expect(startWords({ attempt, maxAttempts })).toBe(words);
});
