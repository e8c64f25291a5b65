import type { StoredState } from "@carillon/core";
import type { TaskFilter, TaskPatch, VerbAnswer } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { pick, same, type World } from "../world.ts";

/** A verb on one of the tasks, now and then through the wrong namespace. */
function taskCommand<Given>(
  name: string,
  given: fc.Arbitrary<Given>,
  run: (world: World, task: { namespace: string; id: bigint }, given: Given) => Promise<void>,
) {
  const foreign = fc.constantFrom(false, false, false, false, true);
  return command(name, fc.record({ task: nth, foreign, given }), async (world, { task, foreign, given }) => {
    const chosen = pick(world.tasks, task);
    if (!chosen) return;
    const namespace = foreign ? world.namespaces.find((name) => name !== chosen.namespace)! : chosen.namespace;
    await run(world, { namespace, id: chosen.id }, given);
  });
}

const getTask = taskCommand("getTask", fc.constant(null), async (world, { namespace, id }) => {
  await same(world, (store) => store.getTask(namespace, id));
});

const cancelTask = taskCommand(
  "cancelTask",
  fc.constantFrom(null, "a mistake"),
  async (world, { namespace, id }, reason) => {
    await same(world, (store) => store.cancelTask(namespace, id, { reason, now: world.now }));
  },
);

const patchTask = taskCommand(
  "patchTask",
  fc.record(
    {
      priority: fc.integer({ min: 1, max: 9 }),
      dueInMs: fc.constantFrom(-5_000, 0, 10_000),
      payload: fc.constantFrom(null, '{"b":2}', JSON.stringify("z".repeat(600))),
      queue: fc.constantFrom("default", "slow", "new"),
    },
    { requiredKeys: [] },
  ),
  async (world, { namespace, id }, { dueInMs, ...given }) => {
    const patch: TaskPatch = { ...given, ...(dueInMs === undefined ? {} : { dueAt: world.now + dueInMs }) };
    await same(world, (store) => store.patchTask(namespace, id, patch, world.now));
  },
);

const simpleVerbs = {
  retryTask: (world: World, namespace: string, id: bigint) =>
    same<VerbAnswer>(world, (store) => store.retryTask(namespace, id, world.now)),
  runTaskNow: (world: World, namespace: string, id: bigint) =>
    same<VerbAnswer>(world, (store) => store.runTaskNow(namespace, id, world.now)),
  deleteTask: (world: World, namespace: string, id: bigint) =>
    same<VerbAnswer>(world, (store) => store.deleteTask(namespace, id)),
};
const simpleVerbCommands = Object.entries(simpleVerbs).map(([name, verb]) =>
  taskCommand(name, fc.constant(null), async (world, { namespace, id }) => {
    await verb(world, namespace, id);
  }),
);

/** A final one, which the other commands find too seldom. */
const retryFinal = command("retryFinal", nth, async (world, n) => {
  const states: StoredState[] = ["failed", "cancelled", "skipped"];
  const [left] = world.sides;
  const query = { filter: { states }, now: world.now, pageSize: 200, after: null };
  const finals = await Promise.all(world.namespaces.map((namespace) => left.store.listTasks(namespace, query)));
  const task = pick(
    finals.flatMap((page) => page.items),
    n,
  );
  if (task) await same(world, (store) => store.retryTask(task.namespace, task.id, world.now));
});

const logFilter = fc.record(
  {
    level: fc.constantFrom("debug" as const, "info" as const, "warn" as const),
    text: fc.constantFrom("step 1", "STEP", "2"),
  },
  { requiredKeys: [] },
);

const taskLogs = taskCommand("taskLogs", fc.option(logFilter), async (world, { namespace, id }, filter) => {
  const query = { pageSize: 2, ...(filter === null ? {} : { filter }) };
  await everyPage(world, (store, after) => store.taskLogs(namespace, id, { ...query, after }));
});

const searchLogs = command(
  "searchLogs",
  fc.record({ filter: logFilter, most: fc.constantFrom(1, 5) }),
  async (world, query) => {
    const ids = world.tasks.map(({ id }) => id).reverse();
    await same(world, (store) => store.searchLogs(ids, query));
  },
);

const states: StoredState[] = ["pending", "claimed", "running", "succeeded", "failed", "cancelled", "skipped"];
const filter = fc.record(
  {
    states: fc.subarray(states, { minLength: 1 }),
    waiting: fc.subarray(["scheduled", "queued", "retrying"] as const, { minLength: 1 }),
    types: fc.subarray(["mail", "bill", "report"], { minLength: 1 }),
    queues: fc.subarray(["default", "slow", "new"], { minLength: 1 }),
    schedule: fc.constantFrom("hourly", "often"),
    tag: fc.constantFrom("red", "green"),
    text: fc.constantFrom("mai", "MAIL", "text", "did not", "xxx", "nothing of the kind", "100%", "_"),
    agesMs: fc.tuple(fc.nat({ max: 60_000 }), fc.nat({ max: 60_000 })),
  },
  { requiredKeys: [] },
);

const listTasks = command(
  "listTasks",
  fc.record({ namespace: fc.constantFrom(0, 1), filter, pageSize: fc.integer({ min: 1, max: 5 }) }),
  async (world, { namespace, filter: { agesMs, ...given }, pageSize }) => {
    const filter: TaskFilter = given;
    if (agesMs) {
      filter.from = world.now - Math.max(...agesMs);
      filter.to = world.now - Math.min(...agesMs);
    }
    const { now } = world;
    await everyPage(world, (store, after) =>
      store.listTasks(world.namespaces[namespace]!, { filter, now, pageSize, after }),
    );
    await same(world, (store) => store.countTasks(world.namespaces[namespace]!, { filter, now, cap: pageSize * 3 }));
  },
);

/** Compares all pages of a list, each side by its own cursors. */
export async function everyPage<Item>(
  world: World,
  page: (store: World["sides"][0]["store"], after: string | null) => Promise<{ items: Item[]; next: string | null }>,
): Promise<void> {
  await same(world, async (store) => {
    const pages: Item[][] = [];
    let after: string | null = null;
    do {
      const answer: { items: Item[]; next: string | null } = await page(store, after);
      pages.push(answer.items);
      after = answer.next;
    } while (after !== null);
    return pages;
  });
}

const declareTypes = command(
  "declareTypes",
  fc.record({
    namespace: fc.constantFrom(0, 1),
    types: fc.subarray(["mail", "bill", "report"]),
    timeoutMs: fc.constantFrom(null, 60_000),
    queue: fc.constantFrom(null, "slow"),
  }),
  async (world, { namespace, types, timeoutMs, queue }) => {
    const name = world.namespaces[namespace]!;
    const declarations = types.map((type) => ({ type, queue, policy: { retry: null, timeoutMs } }));
    await same(world, (store) => store.declareTypes(name, declarations, world.now));
    await same(world, (store) => store.types(name));
  },
);

export const peopleCommands = [
  getTask,
  cancelTask,
  cancelTask,
  patchTask,
  ...simpleVerbCommands,
  retryFinal,
  retryFinal,
  retryFinal,
  taskLogs,
  searchLogs,
  listTasks,
  declareTypes,
];
