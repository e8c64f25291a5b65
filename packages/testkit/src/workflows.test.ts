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

test("a task fans out while it runs, and what comes after it is given what its parts came to", async () => {
  const convert = task("convert", { run: async (page: number) => page * page });
  const split = task("split", {
    run: async (pages: number, { workflow, attempt }) => {
      const tasks = Array.from({ length: pages }, (_, page) => ({ key: `page-${page}`, type: convert, payload: page }));
      await env.client.workflows.add(workflow!.id, { parent: workflow!.key, tasks });
      if (attempt === 1) throw new Error("after it has added them");
      return pages;
    },
  });
  const bind = task("bind", {
    run: async (_: null, { parents: { split: pages, ...squares }, workflow }) => ({
      pages,
      squares,
      key: workflow?.key,
    }),
  });
  const alone = task("alone", { run: async (_: null, { workflow }) => ({ workflow }) });
  await using env = await createTestEnvironment({ tasks: [convert, split, bind, alone] });
  const { id } = await env.client.workflows.create({
    name: "book",
    tasks: [
      { key: "split", type: split, payload: 3 },
      { key: "bind", type: bind, after: ["split"] },
    ],
  });
  const other = await env.client.tasks.create(alone);
  await env.advance("1m");
  const workflow = await env.client.workflows.get(id);
  expect(workflow).toMatchObject({ state: "succeeded", counts: { total: 5, succeeded: 5 } });
  const last = workflow.tasks.find(({ key }) => key === "bind")!;
  expect(last.after).toEqual(["split", "page-0", "page-1", "page-2"]);
  const squares = { "page-0": 0, "page-1": 1, "page-2": 4 };
  expect((await env.client.tasks.get(last.id)).result).toEqual({ pages: 3, squares, key: "bind" });
  expect(await other.result()).toEqual({ workflow: null });
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

const fans = fc.array(
  fc.record({
    onFailure: fc.constantFrom("stop" as const, "continue" as const),
    splits: fc.array(
      fc.record({
        /** Whether each of its parts fails; some come after the one before them. */
        parts: fc.array(fc.record({ fails: fc.boolean(), chained: fc.boolean() }), { maxLength: 4 }),
        /** Attempts that end in an error once they have added the parts. */
        broken: fc.nat({ max: 2 }),
        /** Parts that add parts of their own. */
        deep: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  { minLength: 5, maxLength: 10 },
);

test("however tasks fan out, what comes after them starts when all of it has ended, and none is there twice", async () => {
  await fc.assert(
    fc.asyncProperty(fans, async (drawn) => {
      const starts: string[] = [];
      const ended = new Set<string>();
      const early: string[] = [];
      const begin = (name: string, parents: string[]) => {
        starts.push(name);
        if (!parents.every((parent) => ended.has(parent))) early.push(name);
      };
      const end = (name: string, fails: boolean) => {
        ended.add(name);
        if (fails) throw new Fatal("no");
      };
      const part = task("part", {
        run: async (given: { name: string; after: string[]; fails: boolean; deep: boolean }, { workflow }) => {
          const { name, after, fails, deep } = given;
          begin(name, after);
          const own = { name: `${name}.0`, after: [], fails: false, deep: false };
          if (deep)
            await env.client.workflows.add(workflow!.id, {
              parent: workflow!.key,
              tasks: [{ key: `${workflow!.key}.0`, type: "part", payload: own }],
            });
          end(name, fails);
        },
      });
      const split = task("split", {
        retry: { backoff: { initial: "1s" } },
        run: async ({ number, n }: { number: number; n: number }, { workflow, attempt }) => {
          const { parts, broken, deep } = drawn[number]!.splits[n]!;
          if (attempt === 1) begin(`${number}/${workflow!.key}`, []);
          const tasks = parts.map(({ fails, chained }, index) => {
            const before = chained && index > 0 ? [index - 1] : [];
            const after = before.map((one) => `${number}/p${n}-${one}`);
            return {
              key: `p${n}-${index}`,
              type: part,
              payload: { name: `${number}/p${n}-${index}`, after, fails, deep },
              ...(before.length > 0 && { after: before.map((one) => `p${n}-${one}`) }),
            };
          });
          if (tasks.length > 0) await env.client.workflows.add(workflow!.id, { parent: workflow!.key, tasks });
          if (attempt <= broken) throw new Error("after it has added them");
          end(`${number}/${workflow!.key}`, false);
        },
      });
      const join = task("join", { run: async (number: number) => begin(`${number}/join`, []) });
      await using env = await createTestEnvironment({ tasks: [part, split, join], concurrency: 7 });
      const ids: string[] = [];
      for (const [number, { onFailure, splits }] of drawn.entries()) {
        const roots = splits.map((_, n) => ({ key: `s${n}`, type: split, payload: { number, n } }));
        const after = roots.map(({ key }) => key);
        const last = { key: "join", type: join, payload: number, after, when: "all-done" as const };
        ids.push((await env.client.workflows.create({ name: "fan", onFailure, tasks: [...roots, last] })).id);
      }
      await env.advance("1m");
      expect(early).toEqual([]);
      expect(new Set(starts).size).toBe(starts.length);
      for (const [number, id] of ids.entries()) {
        const { tasks, counts, state } = await env.client.workflows.get(id);
        expect(counts).toMatchObject({ total: tasks.length, open: 0 });
        expect(new Set(tasks.map(({ key }) => key)).size).toBe(tasks.length);
        expect(state).toBe(tasks.some((one) => one.state === "failed") ? "failed" : "succeeded");
        const own = starts.filter((name) => name.startsWith(`${number}/`));
        expect(own.at(-1)).toBe(`${number}/join`);
        const { after } = tasks.find(({ key }) => key === "join")!;
        expect(after.toSorted()).toEqual(tasks.flatMap(({ key }) => (key === "join" ? [] : [key])).sort());
        for (const { key, state: each } of tasks)
          expect([key, each === "skipped"]).toEqual([key, !own.includes(`${number}/${key}`)]);
      }
    }),
    { numRuns: 5 },
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
