import fc from "fast-check";
import { expect, test } from "vitest";
import { afterConditions, decideAfter } from "./dependencies.ts";
import { type FinalState, finalStates } from "./states.ts";

test.each([
  ["all", ["succeeded", "succeeded"], "release"],
  ["all", ["succeeded"], "wait"],
  ["all", ["failed"], "skip"],
  ["all", ["succeeded", "skipped"], "skip"],
  ["any", ["succeeded"], "release"],
  ["any", ["failed"], "wait"],
  ["any", ["failed", "cancelled"], "skip"],
  ["all-done", ["failed"], "wait"],
  ["all-done", ["failed", "skipped"], "release"],
  ["on-failure", ["failed"], "release"],
  ["on-failure", ["succeeded"], "wait"],
  ["on-failure", ["succeeded", "skipped"], "skip"],
] as const)("%s of two parents, of which %j: %s", (condition, ends, kind) => {
  expect(decideAfter(condition, 2, ends).kind).toBe(kind);
});

test("whether ends arrive one by one or together makes no difference", () => {
  const ends = fc.array(fc.constantFrom<FinalState>(...finalStates), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...afterConditions), ends, fc.array(fc.boolean()), (condition, all, cuts) => {
      let pending = all.length;
      let batch: FinalState[] = [];
      let kind: string = "wait";
      for (const [index, state] of all.entries()) {
        batch.push(state);
        if (index < all.length - 1 && !cuts[index]) continue;
        const decision = decideAfter(condition, pending, batch);
        batch = [];
        kind = decision.kind;
        if (decision.kind !== "wait") break;
        pending = decision.pending;
      }
      expect(kind).toBe(decideAfter(condition, all.length, all).kind);
      expect(kind).not.toBe("wait");
    }),
  );
});
