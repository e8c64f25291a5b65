import { expect, test } from "vitest";
import type { AfterCondition } from "./dependencies.ts";
import type { StoredState } from "./states.ts";
import { type Addition, additionProblems, planAddition } from "./workflow-addition.ts";

const node = (key: string, after: string[] = [], when: AfterCondition = "all") => ({ key, after, when });
const member = (key: string, state: StoredState | null, after: string[] = [], when: AfterCondition = "all") => ({
  ...node(key, after, when),
  state,
  always: false,
});

const members = [member("split", "running"), member("join", "blocked", ["split"]), member("last", "blocked", ["join"])];
const addition = (tasks: Addition["tasks"], over: Partial<Addition> = {}): Addition => ({
  members,
  tasks,
  parent: "split",
  dependents: ["join"],
  ...over,
});
const problems = (...given: Parameters<typeof addition>) =>
  additionProblems(addition(...given)).map(({ pointer, code }) => [pointer, code]);

test("tasks join, and those that the workflow has stay as they are", () => {
  const sent = addition([node("last"), node("part"), node("sum", ["part", "split"])]);
  expect(additionProblems(sent)).toEqual([]);
  expect(planAddition(sent)).toEqual({
    added: [
      { key: "part", always: false, decision: { kind: "release" }, waitsFor: [] },
      { key: "sum", always: false, decision: { kind: "wait", pending: 2 }, waitsFor: ["part", "split"] },
    ],
    spared: [],
  });
});

test("ends that there are count at once", () => {
  const ended = [member("good", "succeeded"), member("bad", "failed"), member("open", "pending")];
  const tasks = [
    node("both", ["good", "open"]),
    node("any", ["good", "open"], "any"),
    node("never", ["bad", "open"]),
    node("undo", ["bad"], "on-failure"),
  ];
  const { added } = planAddition(addition(tasks, { members: ended, parent: null, dependents: [] }));
  expect(added.map(({ decision, waitsFor, always }) => [decision, waitsFor, always])).toEqual([
    [{ kind: "wait", pending: 1 }, ["open"], false],
    [{ kind: "release" }, ["open"], false],
    [{ kind: "skip" }, ["open"], false],
    [{ kind: "release" }, [], true],
  ]);
});

test("whoever waits for what is meant for failures is not stopped by one elsewhere, nor what comes after", () => {
  const tasks = [node("tidy", ["split"], "all-done"), node("next", ["last"])];
  const { added, spared } = planAddition(addition(tasks.slice(0, 1)));
  expect(added).toMatchObject([{ key: "tidy", always: true }]);
  expect(spared).toEqual(["join", "last"]);
  const known = members.map((each) => ({ ...each, always: each.key === "last" }));
  const alone = { members: known, parent: null, dependents: [] };
  expect(planAddition(addition(tasks.slice(1), alone)).added).toMatchObject([{ always: true }]);
});

test("unknown, double and forgotten keys are named by their place", () => {
  expect(problems([node("a", ["nobody"]), node("b"), node("b")], { parent: "nowhere" })).toEqual([
    ["/parent", "unknown_key"],
    ["/tasks/2/key", "duplicate_key"],
    ["/tasks/0/after/0", "unknown_key"],
  ]);
  const forgotten = { members: [member("old", null)], parent: "old", dependents: [] };
  expect(problems([node("a", ["old"])], forgotten)).toEqual([["/tasks/0/after/0", "unknown_key"]]);
  expect(problems([node("a")], forgotten)).toEqual([]);
});

test("a task that comes after those that are to wait for it is a cycle", () => {
  expect(problems([node("a"), node("b", ["last"])])).toEqual([["/tasks/1/after", "cycle"]]);
  expect(problems([node("b", ["last"])], { parent: null, dependents: [] })).toEqual([]);
  expect(problems([node("b", ["b"])], { parent: null, dependents: [] })).toEqual([["/tasks/0/after", "cycle"]]);
});

test("a workflow grows to so many tasks and edges, and so many come directly before one", () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => node(`part-${n}`));
  expect(problems(many(999))).toEqual([]);
  expect(problems(many(1_000))).toEqual([["/tasks", "too_many"]]);
  expect(additionProblems(addition(many(1_000)))[0]!.message).toBe(
    "The task join would come after 1,001 others, and 1,000 is the most.",
  );
  const apart = { parent: null, dependents: [] };
  expect(problems(many(9_997), apart)).toEqual([]);
  expect(problems(many(9_998), apart)).toEqual([["/tasks", "too_many"]]);
  const joins = Array.from({ length: 120 }, (_, n) => member(`join-${n}`, "blocked", ["split"]));
  const wide = { members: [members[0]!, ...joins], dependents: joins.map(({ key }) => key) };
  expect(problems(many(900), wide)).toEqual([["/tasks", "too_many"]]);
});
