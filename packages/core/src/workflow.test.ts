import { expect, test } from "vitest";
import type { AfterCondition } from "./dependencies.ts";
import type { StoredState } from "./states.ts";
import { graphProblems, inOrder, retriedNodes, unstoppable } from "./workflow.ts";

const node = (key: string, after: string[] = [], when: AfterCondition = "all") => ({ key, after, when });

test("unknown and double keys are named by their place", () => {
  expect(graphProblems([node("a"), node("b", ["a", "nobody"]), node("a")])).toMatchObject([
    { pointer: "/tasks/2/key", code: "duplicate_key" },
    { pointer: "/tasks/1/after/1", code: "unknown_key" },
  ]);
});

test("a task of a cycle is named, not one that only stands behind it", () => {
  const nodes = [node("behind", ["a"]), node("start"), node("a", ["start", "c"]), node("b", ["a"]), node("c", ["b"])];
  expect(graphProblems(nodes)).toMatchObject([{ pointer: "/tasks/2/after", code: "cycle" }]);
  expect(graphProblems([node("a", ["a"])])).toMatchObject([{ pointer: "/tasks/0/after", code: "cycle" }]);
  expect(graphProblems([node("a"), node("b", ["a"])])).toEqual([]);
});

test("a chain of 10,000 tasks sent from its end is put in order", () => {
  const chain = Array.from({ length: 10_000 }, (_, n) => node(`t${n}`, n === 0 ? [] : [`t${n - 1}`])).reverse();
  expect(graphProblems(chain)).toEqual([]);
  expect(inOrder(chain).map(({ key }) => key)[9_999]).toBe("t9999");
});

test("what waits for failures or for any end, and what comes after it, is not stopped by a failure elsewhere", () => {
  const nodes = [node("a"), node("undo", ["a"], "on-failure"), node("told", ["undo"]), node("next", ["a"])];
  expect([...unstoppable(nodes)]).toEqual(["undo", "told"]);
});

test("a retry runs again what did not succeed, as far as it still can", () => {
  const states: Record<string, StoredState> = {
    a: "succeeded",
    b: "failed",
    c: "skipped",
    d: "skipped",
    undo: "succeeded",
  };
  const nodes = [
    node("a"),
    node("b", ["a"]),
    node("c", ["a", "b"]),
    node("d", ["a"], "on-failure"),
    node("undo", ["b"], "on-failure"),
  ].map((each) => ({ ...each, state: states[each.key]! }));
  expect(retriedNodes(nodes, null)).toEqual([
    { key: "b", pending: 0, waitsFor: [] },
    { key: "c", pending: 1, waitsFor: ["b"] },
  ]);
  expect(retriedNodes(nodes, ["c"])).toEqual([]);
});
