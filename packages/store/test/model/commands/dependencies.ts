/** Tasks after others, and workflows. */

import { afterConditions, failurePolicies, unstoppable } from "@carillon/core";
import type { NewTask } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { laneName, newTask, pick, same, unordered, type World } from "../world.ts";

const when = fc.constantFrom(...afterConditions);
/** Of tasks that workflows have, and of others. */
const key = fc.constantFrom("k0", "k1", "k2", "k4", "n0", "n1", "n2", "n3");
const given = {
  namespace: 0,
  type: "mail",
  queue: "default",
  priority: 5,
  dueInMs: 0,
  maxAttempts: 2,
  startWithinMs: null,
  payload: null,
  uniqueKey: null,
  finishWithinMs: null,
  uniqueForMs: null,
  requires: {},
  tags: [],
};

export async function listWorkflows(world: World): Promise<void> {
  for (const namespace of world.namespaces)
    await same(world, (store) => store.listWorkflows(namespace, { pageSize: 50, after: null }));
  for (const id of world.workflows) await same(world, (store) => store.workflowTasks(world.namespaces[0], id));
}

export const dependencyCommands = [
  command(
    "create after",
    fc.record({
      parents: fc.array(nth, { minLength: 1, maxLength: 3 }),
      when,
      known: fc.boolean(),
      large: fc.boolean(),
    }),
    async (world, { parents, when: condition, known, large }) => {
      const chosen = parents.flatMap((n) => pick(world.tasks, n) ?? []);
      // Tasks of the other namespace are as unknown as an id that nobody has.
      const [namespace] = world.namespaces;
      const after = chosen.filter((task) => !known || task.namespace === namespace).map(({ id }) => id);
      const payload = large ? JSON.stringify("x".repeat(2_000)) : null;
      const task: NewTask = { ...newTask(world, { ...given, payload }), after: [...new Set(after)], when: condition };
      await same(world, (store) => store.createTasks([task], { now: world.now }));
      await same(
        world,
        (store) => store.waitsFor(namespace, task.id, 2),
        (answer) => answer,
      );
    },
  ),
  command(
    "create a workflow",
    fc.record({
      onFailure: fc.constantFrom(...failurePolicies),
      nodes: fc.array(fc.record({ parents: fc.array(nth, { maxLength: 2 }), when }), { minLength: 1, maxLength: 5 }),
    }),
    async (world, { onFailure, nodes }) => {
      const [namespace] = world.namespaces;
      const id = world.newId();
      const graph = nodes.map(({ parents, when: condition }, index) => ({
        key: `k${index}`,
        after: index === 0 ? [] : [...new Set(parents.map((n) => `k${n % index}`))],
        when: condition,
      }));
      const always = unstoppable(graph);
      const made: NewTask[] = [];
      for (const { key, after, when: condition } of graph) {
        const parents = after.map((parent) => made[Number(parent.slice(1))]!.id);
        const workflow = { id, key, always: always.has(key) };
        made.push({
          ...newTask(world, given),
          trigger: "workflow",
          workflow,
          ...(parents.length > 0 && { after: parents, when: condition }),
        });
      }
      world.workflows.push(id);
      await same(world, (store) => store.createWorkflow({ id, namespace, name: "some", onFailure }, made, world.now));
    },
  ),
  command(
    "add to a workflow",
    fc.record({
      n: nth,
      parent: fc.option(key),
      nodes: fc.array(fc.record({ key, after: fc.uniqueArray(key, { maxLength: 2 }), when }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
    async (world, { n, parent, nodes }) => {
      const id = pick(world.workflows, n);
      if (id === undefined) return;
      const tasks = nodes.map((node) => ({
        ...node,
        task: { ...newTask(world, given), trigger: "workflow" as const },
      }));
      const request = { tasks, parent, now: world.now };
      await same(world, (store) => store.addToWorkflow(world.namespaces[0], id, request));
    },
  ),
  command("settle", fc.constant(null), async (world) => {
    await same(
      world,
      (store) => store.settleDependencies({ now: world.now, limit: 1_000 }),
      ({ released, ended, recalled, more }, side) => ({
        released: unordered(
          side,
          released.map(({ lane, ...rest }) => ({ lane: laneName(lane), ...rest })),
        ),
        ended: unordered(
          side,
          ended.map(({ lane, ...rest }) => ({ lane: laneName(lane), ...rest })),
        ),
        recalled: unordered(side, recalled),
        more,
      }),
    );
  }),
  command("cancel a workflow", nth, async (world, n) => {
    const id = pick(world.workflows, n);
    if (id === undefined) return;
    const request = { reason: "changed", now: world.now };
    await same(world, (store) => store.cancelWorkflow(world.namespaces[0], id, request));
  }),
  command(
    "retry a workflow",
    fc.record({ n: nth, from: fc.option(fc.constantFrom("k0", "k1", "k4"), { freq: 2 }) }),
    async (world, { n, from }) => {
      const id = pick(world.workflows, n);
      if (id === undefined) return;
      const request = { from: from === null ? null : [from], now: world.now };
      await same(world, (store) => store.retryWorkflow(world.namespaces[0], id, request));
    },
  ),
];
