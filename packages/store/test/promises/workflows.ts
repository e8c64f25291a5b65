import type { AfterCondition, FailurePolicy, Id } from "@carillon/core";
import { unstoppable } from "@carillon/core";
import type { ClaimedTask } from "@carillon/store";
import { expect } from "vitest";
import { final, mistake, type Promises, type World } from "./world.ts";

export type Node = [key: string, after?: string[], when?: AfterCondition];

export async function submit(t: World, nodes: Node[], onFailure: FailurePolicy = "stop") {
  const id = t.newTask().id;
  const ids = new Map(nodes.map(([key]) => [key, t.newTask().id]));
  const graph = nodes.map(([key, after = [], when = "all"]) => ({ key, after, when }));
  const always = unstoppable(graph);
  const tasks = graph.map(({ key, after, when }) => ({
    ...t.newTask({ trigger: "workflow" }),
    id: ids.get(key)!,
    workflow: { id, key, always: always.has(key) },
    ...(after.length > 0 && { after: after.map((parent) => ids.get(parent)!), when }),
  }));
  const workflow = { id, namespace: t.namespace, name: "nightly", onFailure };
  const record = await t.store.createWorkflow(workflow, tasks, t.now);
  const held = new Map<Id, ClaimedTask>();
  return {
    id,
    record,
    again: () => t.store.createWorkflow(workflow, tasks, t.now),
    add: async (more: Node[], parent: string | null = null) => {
      const joining = more.map(([key, after = [], when = "all"]) => {
        return { key, after, when, task: t.newTask({ trigger: "workflow" }) };
      });
      const answer = await t.store.addToWorkflow(t.namespace, id, { tasks: joining, parent, now: t.now });
      if (answer.kind === "done")
        for (const [index, { key }] of joining.entries()) ids.set(key, answer.tasks[index]!.id);
      return answer;
    },
    task: (key: string) => ids.get(key)!,
    get: async () => (await t.store.getWorkflow(t.namespace, id))!,
    states: async () =>
      Object.fromEntries(
        (await t.store.workflowTasks(t.namespace, id)).map(({ key, task }) => [key, task?.state ?? null]),
      ),
    claim: async () => {
      for (const claimed of await t.claim()) held.set(claimed.id, claimed);
      return [...held.keys()];
    },
    end: async (key: string, state: "succeeded" | "failed") => {
      for (const claimed of await t.claim()) held.set(claimed.id, claimed);
      await t.record(held.get(ids.get(key)!)!, final(state, state === "failed" ? mistake : null));
      held.delete(ids.get(key)!);
    },
    /** Until nothing is left to tell. */
    settle: async () => {
      for (let more = true; more; ) ({ more } = await t.store.settleDependencies({ now: t.now, limit: 100 }));
    },
    held,
  };
}

const diamond: Node[] = [["a"], ["b", ["a"]], ["c", ["a"]], ["d", ["b", "c"]]];

export const workflows: Promises = {
  "a workflow is there with all its tasks, and ends when all of them have": async (t) => {
    const w = await submit(t, diamond);
    expect(w.record).toMatchObject({ name: "nightly", state: "running", total: 4, open: 4, createdAt: t.now });
    expect(await w.again()).toEqual(w.record);
    expect(await w.states()).toEqual({ a: "pending", b: "blocked", c: "blocked", d: "blocked" });
    expect(await t.task(w.task("d"))).toMatchObject({
      after: [w.task("b"), w.task("c")],
      workflow: { id: w.id, key: "d" },
      trigger: "workflow",
    });
    await w.end("a", "succeeded");
    await w.settle();
    await w.end("b", "succeeded");
    await w.end("c", "succeeded");
    await w.settle();
    await w.claim();
    expect(w.held.get(w.task("d"))!.parents).toBe('{"b":{"done":true},"c":{"done":true}}');
    t.now += 1_000;
    await w.end("d", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "succeeded", open: 0, succeeded: 4, finishedAt: t.now });
    const filter = { workflow: w.id };
    const { items } = await t.store.listTasks(t.namespace, { filter, now: t.now, pageSize: 10, after: null });
    expect(items.map(({ workflow }) => workflow!.key).sort()).toEqual(["a", "b", "c", "d"]);
    expect((await t.store.listWorkflows(t.namespace, { pageSize: 10, after: null })).items).toEqual([await w.get()]);
  },
  "a failure stops what has not started, but for what is meant for failures": async (t) => {
    const nodes: Node[] = [["a"], ["next", ["a"]], ["running"], ["later", ["running"]], ["undo", ["a"], "on-failure"]];
    const w = await submit(t, [...nodes, ["told", ["undo"]]]);
    await w.claim();
    await w.end("a", "failed");
    await w.settle();
    expect(await w.states()).toEqual({
      a: "failed",
      next: "skipped",
      running: "claimed",
      later: "skipped",
      undo: "pending",
      told: "blocked",
    });
    expect(await t.task(w.task("later"))).toMatchObject({ reason: "workflow_failed" });
    await w.end("running", "succeeded");
    await w.end("undo", "succeeded");
    await w.settle();
    await w.end("told", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "failed", failed: 1, skipped: 2, succeeded: 3, stopping: null });
  },
  "with `continue` a failure skips only what comes after it": async (t) => {
    const w = await submit(t, [["a"], ["next", ["a"]], ["b"], ["after", ["b"]]], "continue");
    await w.claim();
    await w.end("a", "failed");
    await w.settle();
    expect(await w.states()).toEqual({ a: "failed", next: "skipped", b: "claimed", after: "blocked" });
  },
  "a cancelled workflow cancels what waits at once, and asks for what is held": async (t) => {
    const w = await submit(t, [["a"], ["b", ["a"]], ["c", ["a"], "all-done"]]);
    await w.claim();
    const answer = await t.store.cancelWorkflow(t.namespace, w.id, { reason: "wrong", now: t.now });
    expect(answer).toMatchObject({ kind: "done", workflow: { stopping: "cancel", reason: "wrong" } });
    const settled = await t.store.settleDependencies({ now: t.now, limit: 100 });
    expect(settled.recalled).toEqual([{ id: w.task("a"), session: t.session, reason: "wrong" }]);
    expect(settled.ended).toMatchObject([{ id: w.task("b") }, { id: w.task("c"), state: "cancelled" }]);
    expect((await t.store.renewSession(t.session, t.now)).recalls).toMatchObject([{ id: w.task("a"), what: "cancel" }]);
    await t.record(w.held.get(w.task("a"))!, final("cancelled"));
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "cancelled", cancelled: 3, finishedAt: t.now });
    expect(await t.store.cancelWorkflow(t.namespace, w.id, { reason: null, now: t.now })).toMatchObject({
      kind: "done",
    });
  },
  "a workflow that is retried runs again what did not succeed, in its order": async (t) => {
    const w = await submit(t, diamond);
    await w.end("a", "succeeded");
    await w.settle();
    await w.end("b", "failed");
    await w.end("c", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "failed", succeeded: 2, failed: 1, skipped: 1 });
    t.now += 60_000;
    const answer = await t.store.retryWorkflow(t.namespace, w.id, { from: null, now: t.now });
    expect(answer).toMatchObject({
      kind: "done",
      workflow: { state: "running", open: 2, failed: 0, skipped: 0, finishedAt: null },
      retried: [
        { id: w.task("b"), blocked: false },
        { id: w.task("d"), blocked: true },
      ],
    });
    expect(await w.states()).toEqual({ a: "succeeded", b: "pending", c: "succeeded", d: "blocked" });
    expect((await t.task(w.task("b"))).attempts).toMatchObject([{ number: 1, outcome: "failed" }]);
    await w.end("b", "succeeded");
    await w.settle();
    await w.claim();
    expect(w.held.get(w.task("d"))).toMatchObject({ parents: '{"b":{"done":true},"c":{"done":true}}' });
    await w.end("d", "succeeded");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "succeeded", succeeded: 4 });
    expect(await t.store.retryWorkflow(t.namespace, w.id, { from: ["nobody"], now: t.now })).toEqual({
      kind: "unknown_key",
      key: "nobody",
    });
  },
  "a task that was cancelled alone, and is retried with its workflow, waits for what has not ended": async (t) => {
    const w = await submit(t, [["a"], ["b"], ["c", ["a", "b"]]]);
    await w.claim();
    await t.store.cancelTask(t.namespace, w.task("c"), { reason: null, now: t.now });
    await w.end("a", "succeeded");
    await t.store.retryWorkflow(t.namespace, w.id, { from: null, now: t.now });
    await w.settle();
    expect(await w.states()).toEqual({ a: "succeeded", b: "claimed", c: "blocked" });
    await w.end("b", "succeeded");
    await w.settle();
    expect(await w.states()).toMatchObject({ c: "pending" });
  },
  "one task of a workflow that is retried opens it again": async (t) => {
    const w = await submit(t, [["a"], ["b", ["a"]]]);
    await w.end("a", "failed");
    await w.settle();
    expect(await w.get()).toMatchObject({ state: "failed" });
    await t.store.retryTask(t.namespace, w.task("a"), t.now);
    expect(await w.get()).toMatchObject({ state: "running", open: 1, failed: 0, skipped: 1 });
    await w.end("a", "succeeded");
    await w.settle();
    expect(await w.states()).toEqual({ a: "succeeded", b: "skipped" });
    expect(await w.get()).toMatchObject({ state: "succeeded" });
  },
};
