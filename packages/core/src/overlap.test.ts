import { expect, test } from "vitest";
import { decideOverlap, type OverlapDecision, type OverlapPolicy } from "./overlap.ts";

const cases: [OverlapPolicy, occupied: boolean, due: string, OverlapDecision<string>][] = [
  ["allow", true, "ab", { run: ["a", "b"], skip: [], wait: [] }],
  ["skip", false, "a", { run: ["a"], skip: [], wait: [] }],
  ["skip", false, "abc", { run: ["a"], skip: ["b", "c"], wait: [] }],
  ["skip", true, "ab", { run: [], skip: ["a", "b"], wait: [] }],
  ["queue-one", false, "abc", { run: ["a"], skip: ["c"], wait: ["b"] }],
  ["queue-one", true, "abc", { run: [], skip: ["b", "c"], wait: ["a"] }],
  ["queue-all", false, "abc", { run: ["a"], skip: [], wait: ["b", "c"] }],
  ["queue-all", true, "abc", { run: [], skip: [], wait: ["a", "b", "c"] }],
  ["cancel-previous", false, "abc", { run: ["c"], skip: ["a", "b"], wait: [] }],
  ["cancel-previous", true, "abc", { run: [], skip: ["a", "b"], wait: ["c"] }],
];

test.each(cases)("%s, with a task that is not final: %s, and %s due", (policy, occupied, due, decision) => {
  expect(decideOverlap(policy, { occupied, due: [...due], more: false })).toEqual(decision);
});

test("cancel-previous runs nothing that a later fire which is still to be read would cancel at once", () => {
  const situation = { occupied: false, due: ["a", "b"], more: true };
  expect(decideOverlap("cancel-previous", situation)).toEqual({ run: [], skip: ["a"], wait: ["b"] });
});
