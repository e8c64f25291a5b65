import { expect } from "vitest";
import { type Node, submit } from "./workflows.ts";
import type { Promises } from "./world.ts";

const fan: Node[] = [["split"], ["join", ["split"]]];

export const workflowAdditions: Promises = {
  "what comes after a task waits for those that it adds while it runs, and is given their results": async (t) => {
    const w = await submit(t, fan);
    await w.claim();
    expect(w.held.get(w.task("split"))).toMatchObject({ workflow: { id: w.id, key: "split" } });
    const answer = await w.add([["one"], ["two", ["one"]]], "split");
    expect(answer).toMatchObject({ kind: "done", workflow: await w.get() });
    expect(answer).toMatchObject({
      tasks: [
        { id: w.task("one"), created: true },
        { id: w.task("two"), created: true, state: "blocked" },
      ],
    });
    expect(await w.get()).toMatchObject({ total: 4, open: 4 });
    expect(await w.states()).toEqual({ split: "claimed", join: "blocked", one: "pending", two: "blocked" });
    await w.end("split", "succeeded");
    await w.settle();
    expect(await w.states()).toMatchObject({ join: "blocked" });
    await w.end("one", "succeeded");
    await w.settle();
    await w.end("two", "succeeded");
    await w.settle();
    await w.claim();
    expect(w.held.get(w.task("two"))).toBeUndefined();
    const { parents, workflow } = w.held.get(w.task("join"))!;
    expect(parents).toBe('{"split":{"done":true},"one":{"done":true},"two":{"done":true}}');
    expect(workflow).toEqual({ id: w.id, key: "join" });
    await w.end("join", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "succeeded", total: 4, open: 0, succeeded: 4 });
  },
  "a key that the workflow has is left out, also of a call that is repeated once everything has ended": async (t) => {
    const w = await submit(t, fan);
    await w.claim();
    await w.add([["one"]], "split");
    const first = w.task("one");
    expect(await w.add([["two"], ["one", ["two"]]], "split")).toMatchObject({
      tasks: [
        { id: w.task("two"), created: true },
        { id: first, created: false },
      ],
    });
    expect((await t.task(first)).after).toEqual([]);
    expect((await t.task(w.task("join"))).after).toEqual([w.task("split"), first, w.task("two")]);
    expect(await w.add([["one"], ["two"]], "split")).toMatchObject({ workflow: { total: 4, open: 4 } });
    for (const key of ["split", "one", "two"]) await w.end(key, "succeeded");
    await w.settle();
    await w.end("join", "succeeded");
    await w.settle();
    expect(await w.add([["one"]], "split")).toMatchObject({
      kind: "done",
      workflow: { state: "succeeded", total: 4 },
      tasks: [{ id: first, created: false }],
    });
  },
  "whoever was told of the parent's end waits for nothing more, but the workflow does": async (t) => {
    const w = await submit(t, [...fan, ["slow"], ["later", ["split", "slow"]]]);
    await w.end("split", "succeeded");
    expect(await w.add([["untold"]], "split")).toMatchObject({ kind: "done" });
    await w.settle();
    expect(await w.states()).toMatchObject({ join: "blocked", later: "blocked", untold: "pending" });
    await w.end("untold", "succeeded");
    await w.settle();
    expect(await w.states()).toMatchObject({ join: "pending", later: "blocked" });
    await w.add([["told"]], "split");
    expect((await t.task(w.task("later"))).after).toEqual([w.task("split"), w.task("slow"), w.task("untold")]);
    for (const key of ["join", "slow"]) await w.end(key, "succeeded");
    await w.settle();
    await w.end("later", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "running", open: 1 });
    await w.end("told", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "succeeded", total: 6 });
  },
  "a task that comes after one that has ended counts that end once, told or not": async (t) => {
    const w = await submit(t, [["told"], ["untold"], ["open"]], "continue");
    await w.end("told", "failed");
    await w.settle();
    await w.end("untold", "failed");
    const answer = await w.add([
      ["undo", ["told", "untold"], "on-failure"],
      ["next", ["told", "open"]],
      ["last", ["told", "untold", "open"], "all-done"],
      ["child", ["next"]],
    ]);
    expect(answer).toMatchObject({
      tasks: [{ created: true }, { state: "skipped" }, { state: "blocked" }, { state: "blocked" }],
    });
    expect(await w.states()).toMatchObject({ undo: "pending", next: "skipped", last: "blocked", child: "blocked" });
    expect(await t.store.waitsFor(t.namespace, w.task("last"), 10)).toEqual({ tasks: [w.task("open")], count: 1 });
    await w.settle();
    expect(await w.states()).toMatchObject({ last: "blocked", child: "skipped" });
    await w.end("open", "succeeded");
    await w.settle();
    expect(await w.states()).toMatchObject({ last: "pending" });
  },
  "a workflow that has ended, or is being cancelled, takes no more tasks, and one that there is not": async (t) => {
    const w = await submit(t, fan);
    await w.claim();
    await t.store.cancelWorkflow(t.namespace, w.id, { reason: null, now: t.now });
    expect(await w.add([["one"]], "split")).toEqual({ kind: "final", workflow: await w.get() });
    const over = await submit(t, [["only"]]);
    await over.end("only", "succeeded");
    await over.settle();
    expect(await over.add([["one"]])).toMatchObject({ kind: "final", workflow: { state: "succeeded", total: 1 } });
    const request = { tasks: [{ key: "k", after: [], when: "all" as const, task: t.newTask() }], now: t.now };
    for (const [namespace, id] of [
      ["elsewhere", w.id],
      [t.namespace, w.task("split")],
    ] as const)
      expect(await t.store.addToWorkflow(namespace, id, { ...request, parent: null })).toEqual({ kind: "not_found" });
  },
  "what cannot join is refused by its place, and nothing has changed": async (t) => {
    const w = await submit(t, [...fan, ["last", ["join"]]]);
    await w.claim();
    const refused = async (...given: Parameters<typeof w.add>) => {
      const answer = await w.add(...given);
      return answer.kind === "refused" ? answer.errors.map(({ pointer, code }) => [pointer, code]) : answer;
    };
    expect(await refused([["a"], ["b", ["last"]]], "split")).toEqual([["/tasks/1/after", "cycle"]]);
    expect(await refused([["a", ["nobody"]]], "nowhere")).toEqual([
      ["/parent", "unknown_key"],
      ["/tasks/0/after/0", "unknown_key"],
    ]);
    const many = Array.from({ length: 1_000 }, (_, n): Node => [`n${n}`]);
    expect(await refused(many, "split")).toEqual([["/tasks", "too_many"]]);
    expect(await w.get()).toMatchObject({ total: 3, open: 3 });
    expect((await t.task(w.task("join"))).after).toEqual([w.task("split")]);
    expect(await w.states()).toEqual({ split: "claimed", join: "blocked", last: "blocked" });
  },
  "a failure that has stopped a workflow stops what joins it, too, until it is retried": async (t) => {
    const w = await submit(t, [["broken"], ["split"], ["next", ["broken"]]]);
    await w.claim();
    await w.end("broken", "failed");
    await w.settle();
    expect(await w.add([["part"], ["tidy", ["split"], "all-done"]], "split")).toMatchObject({
      workflow: { state: "running", failed: 1, stopping: null },
      tasks: [{ state: "skipped" }, { state: "blocked" }],
    });
    expect(await t.task(w.task("part"))).toMatchObject({ state: "skipped", reason: "workflow_failed" });
    await w.settle();
    expect(await w.get()).toMatchObject({ total: 5, open: 2, failed: 1, skipped: 2 });
    await t.store.retryWorkflow(t.namespace, w.id, { from: null, now: t.now });
    expect(await w.add([["more"]], "split")).toMatchObject({ workflow: { total: 6, open: 6 } });
    expect(await w.states()).toMatchObject({ broken: "pending", part: "pending", more: "pending", tidy: "blocked" });
  },
  "what was added is skipped, cancelled and retried like the others": async (t) => {
    const w = await submit(t, fan);
    await w.claim();
    await w.add([["one"], ["two", ["one"]]], "split");
    await w.end("split", "succeeded");
    await w.end("one", "failed");
    await w.settle();
    expect(await w.states()).toEqual({ split: "succeeded", join: "skipped", one: "failed", two: "skipped" });
    expect(await w.get()).toMatchObject({ state: "failed", succeeded: 1, failed: 1, skipped: 2 });
    await t.store.retryWorkflow(t.namespace, w.id, { from: null, now: t.now });
    expect(await w.states()).toEqual({ split: "succeeded", join: "blocked", one: "pending", two: "blocked" });
    const awaited = await t.store.waitsFor(t.namespace, w.task("join"), 10);
    expect(awaited).toEqual({ tasks: [w.task("one"), w.task("two")], count: 2 });
    await t.store.cancelWorkflow(t.namespace, w.id, { reason: null, now: t.now });
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "cancelled", succeeded: 1, cancelled: 3 });
  },
  "whoever waits for a task that no failure stops is not stopped either": async (t) => {
    const w = await submit(t, [...fan, ["broken"], ["last", ["join"]]]);
    await w.claim();
    await w.add([["tidy", ["split"], "all-done"]], "split");
    await w.end("broken", "failed");
    await w.settle();
    expect(await w.states()).toMatchObject({ split: "claimed", join: "blocked", last: "blocked", tidy: "blocked" });
    for (const key of ["split", "tidy", "join", "last"]) {
      await w.end(key, "succeeded");
      await w.settle();
    }
    expect(await w.get()).toMatchObject({ state: "failed", failed: 1, succeeded: 4 });
  },
};
