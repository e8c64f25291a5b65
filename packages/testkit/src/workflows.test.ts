import type { TaskState, Workflow } from "@carillon/client";
import { Fatal, task } from "@carillon/client";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createTestEnvironment } from "./test-environment.ts";

test("a workflow runs in its order, and each task is given its parents' results", async () => {
  const given: Record<string, unknown> = {};
  const add = task("add", {
    run: async (n: number, { parents }) => {
      given[String(n)] = parents;
      return Object.values(parents).reduce((sum: number, result) => sum + (result as number), n);
    },
  });
  await using env = await createTestEnvironment({ tasks: [add] });
  const { id } = await env.client.workflows.create({
    name: "sum",
    tasks: [
      { key: "total", type: add, payload: 1_000, after: ["left", "right"] },
      { key: "left", type: add, payload: 10, after: ["first"] },
      { key: "right", type: add, payload: 100, after: ["first"] },
      { key: "first", type: add, payload: 1 },
    ],
  });
  await env.advance("1s");
  const workflow = await env.client.workflows.wait(id);
  expect(workflow).toMatchObject({ state: "succeeded", counts: { total: 4, succeeded: 4, open: 0 } });
  expect(given).toEqual({ "1": {}, "10": { first: 1 }, "100": { first: 1 }, "1000": { left: 11, right: 101 } });
  const total = workflow.tasks.find(({ key }) => key === "total")!;
  expect((await env.client.tasks.get(total.id)).result).toBe(1_112);
});

test("tasks come after any that there are, the results are by their ids, and a day between them passes at once", async () => {
  const echo = task("echo", { run: async (text: string, { parents }) => ({ text, parents }) });
  await using env = await createTestEnvironment({ tasks: [echo] });
  const first = await env.client.tasks.create(echo, "first", { delay: "1d" });
  const second = await env.client.tasks.create(echo, "second", { after: [first] });
  await env.advance("1d");
  await env.advance("1s");
  const result = await second.result();
  expect(result).toEqual({ text: "second", parents: { [first.id]: { text: "first", parents: {} } } });
});

test("a workflow that failed is retried from the failed task on, and compensation runs when it is wanted", async () => {
  let broken = true;
  const runs: string[] = [];
  const step = task("step", {
    run: async (name: string) => {
      runs.push(name);
      if (name === "ship" && broken) throw new Fatal("no stock");
    },
  });
  await using env = await createTestEnvironment({ tasks: [step] });
  const { id } = await env.client.workflows.create({
    name: "order",
    tasks: [
      { key: "charge", type: step, payload: "charge" },
      { key: "ship", type: step, payload: "ship", after: ["charge"] },
      { key: "mail", type: step, payload: "mail", after: ["ship"] },
      { key: "refund", type: step, payload: "refund", after: ["ship"], when: "on-failure" },
    ],
  });
  await env.advance("1s");
  expect(await env.client.workflows.get(id)).toMatchObject({ state: "failed", counts: { succeeded: 2, skipped: 1 } });
  expect(runs).toEqual(["charge", "ship", "refund"]);
  broken = false;
  await env.client.workflows.retry(id);
  await env.advance("1s");
  expect(runs).toEqual(["charge", "ship", "refund", "ship", "mail"]);
  expect(await env.client.workflows.get(id)).toMatchObject({ state: "succeeded", counts: { succeeded: 4 } });
});

test("cancelling a workflow stops what runs and cancels what waits", async () => {
  const stopped: string[] = [];
  const forever = task("forever", {
    run: (name: string, { signal }) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => {
          stopped.push(name);
          reject(signal.reason);
        });
      }),
  });
  await using env = await createTestEnvironment({ tasks: [forever] });
  const { id } = await env.client.workflows.create({
    name: "endless",
    tasks: [
      { key: "a", type: forever, payload: "a" },
      { key: "b", type: forever, payload: "b", after: ["a"], when: "all-done" },
    ],
  });
  await env.advance("1s");
  await env.client.workflows.cancel(id, { reason: "enough" });
  await env.advance("2s");
  expect(stopped).toEqual(["a"]);
  expect(await env.client.workflows.get(id)).toMatchObject({
    state: "cancelled",
    reason: "enough",
    tasks: [{ state: "cancelled" }, { state: "cancelled" }],
  });
});

// ------------------------------------------------------------------------------------------------- random graphs, random ends

const conditions = ["all", "any", "all-done", "on-failure"] as const;
const node = fc.record({
  parents: fc.array(fc.nat({ max: 30 }), { maxLength: 3 }),
  when: fc.constantFrom(...conditions),
  fails: fc.boolean(),
});
const graphs = fc.array(
  fc.record({
    onFailure: fc.constantFrom("stop" as const, "continue" as const),
    nodes: fc.array(node, { minLength: 1, maxLength: 15 }),
  }),
  { minLength: 10, maxLength: 20 },
);

test("whatever the graph and whatever its tasks come to, none starts before its parents allow, and every one ends", async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async (drawn) => {
      /** By graph and key: what it came to, or is about to. */
      const ended = new Map<string, TaskState>();
      const early: string[] = [];
      const starts: string[] = [];
      const all = drawn.map(({ onFailure, nodes }, number) => {
        const tasks = nodes.map(({ parents, when, fails }, index) => {
          const after = index === 0 ? [] : [...new Set(parents.map((parent) => `k${parent % index}`))];
          return { key: `k${index}`, after, when, fails };
        });
        return { number, onFailure, tasks };
      });
      const step = task("step", {
        run: async ({ number, key }: { number: number; key: string }) => {
          const name = `${number}/${key}`;
          starts.push(name);
          const { after, when, fails } = all[number]!.tasks.find((each) => each.key === key)!;
          // As far as handlers know it: skipped parents never ran.
          const states = after.map((parent) => ended.get(`${number}/${parent}`));
          const allowed =
            after.length === 0 ||
            when === "all-done" ||
            (when === "all" && states.every((state) => state === "succeeded")) ||
            (when === "any" && states.includes("succeeded")) ||
            (when === "on-failure" && states.includes("failed"));
          if (!allowed) early.push(name);
          ended.set(name, fails ? "failed" : "succeeded");
          if (fails) throw new Fatal("no");
        },
      });
      await using env = await createTestEnvironment({ tasks: [step], concurrency: 10 });
      const ids: string[] = [];
      for (const { number, onFailure, tasks } of all) {
        const submitted = await env.client.workflows.create({
          name: "random",
          onFailure,
          tasks: tasks.map(({ key, after, when }) => ({
            key,
            type: step,
            payload: { number, key },
            ...(after.length > 0 && { after, when }),
          })),
        });
        ids.push(submitted.id);
      }
      await env.advance("5s");
      expect(early).toEqual([]);
      expect(new Set(starts).size).toBe(starts.length);
      for (const [number, id] of ids.entries()) {
        const workflow = await env.client.workflows.get(id);
        expect(workflow).toMatchObject({ counts: { total: all[number]!.tasks.length, open: 0 } });
        for (const { key, state, after, when } of workflow.tasks) {
          if (state !== "skipped") expect(state).toBe(ended.get(`${number}/${key}`));
          else expect(starts).not.toContain(`${number}/${key}`);
          if (state === "skipped" && workflow.onFailure === "continue")
            expect(isImpossible(workflow, after, when)).toBe(true);
        }
        const failed = workflow.tasks.some(({ state }) => state === "failed");
        expect(workflow.state).toBe(failed ? "failed" : "succeeded");
      }
    }),
    { numRuns: 3 },
  );
});

/** Its condition, with all of its parents final. */
function isImpossible(workflow: Workflow, after: string[], when: string | null): boolean {
  const states = after.map((parent) => workflow.tasks.find(({ key }) => key === parent)!.state);
  if (when === "all") return states.some((state) => state !== "succeeded");
  if (when === "any") return !states.includes("succeeded");
  if (when === "on-failure") return !states.includes("failed");
  return false;
}
