import { defaultPolicy, type Id } from "@carillon/core";
import type { BackfillPage, NewTask, OperationRecord } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { pick, same, type World } from "../world.ts";
import { everyPage } from "./people.ts";

const STEP_MS = 20_000;

const beginBackfill = command("beginBackfill", nth, async (world, n) => {
  const scheduleId = pick(world.scheduleIds, n);
  if (scheduleId === undefined) return;
  const [namespace] = world.namespaces;
  const operation = { id: world.newId(), namespace, kind: "backfill", scheduleId, request: "{}", matched: 9 } as const;
  await same(world, (store) => store.createOperation(operation, world.now));
  world.operations.push(operation.id);
});

/** What a node does, with tasks that are the same on both sides: the last few fires of `every: 20s`, in pages. */
const stepBackfills = command(
  "stepBackfills",
  fc.record({
    limit: fc.constantFrom(1, 10),
    size: fc.constantFrom(0, 1, 3),
    leave: fc.constantFrom(false, false, true),
  }),
  async (world, { limit, size, leave }) => {
    const { now } = world;
    const tasks = new Map<string, NewTask>();
    const taskOf = (operation: OperationRecord, fireAt: number): NewTask => {
      const key = `${operation.id} ${fireAt}`;
      if (!tasks.has(key)) tasks.set(key, backfilled(world, operation, fireAt));
      return tasks.get(key)!;
    };
    const plan = (operation: OperationRecord, waiting: number): BackfillPage | null => {
      if (leave) return null;
      const room = Math.max(0, size - waiting);
      const first = Number(operation.cursor ?? Math.floor(operation.createdAt / STEP_MS) - 9);
      const fires = Array.from({ length: room }, (_, index) => (first + index) * STEP_MS).filter(
        (fireAt) => fireAt < now,
      );
      return {
        fires: fires.map((fireAt) => ({ fireAt, version: 1, task: taskOf(operation, fireAt) })),
        cursor: String(first + fires.length),
        finished: first + fires.length >= Math.floor(operation.createdAt / STEP_MS),
        nextAt: now + 100,
      };
    };
    await same(
      world,
      (store) => store.stepBackfills({ now, limit, most: 5 }, plan),
      ({ running, tasks }) => ({ running, tasks: tasks.map(({ id }) => `${id}`).sort() }),
    );
    for (const { namespace, id } of tasks.values()) world.tasks.push({ namespace, id });
  },
);

function backfilled(world: World, { namespace, scheduleId }: OperationRecord, fireAt: number): NewTask {
  return {
    id: world.newId(),
    namespace,
    type: "report",
    queue: "default",
    priority: 5,
    dueAt: world.now,
    policy: defaultPolicy,
    payload: null,
    trigger: "backfill",
    scheduleId,
    fireAt,
    uniqueKey: null,
    tags: [],
    replayOf: null,
  };
}

const cancelOperation = command("cancelOperation", nth, async (world, n) => {
  const id: Id | undefined = pick(world.operations, n);
  if (id === undefined) return;
  await same(world, (store) => store.cancelOperation(world.namespaces[n % 2 ? 1 : 0]!, id, world.now));
});

export async function listOperations(world: World): Promise<void> {
  for (const namespace of world.namespaces) {
    await everyPage(world, (store, after) => store.listOperations(namespace, { pageSize: 2, after }));
  }
}

export const operationCommands = [
  beginBackfill,
  beginBackfill,
  stepBackfills,
  stepBackfills,
  stepBackfills,
  cancelOperation,
];
