import { expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";

/** A worker that takes a second for each task, and more of every band than it gets through. */
async function overload({ slots, each }: { slots: number; each: number }) {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker({ slots });
  const begun: number[] = [];
  const priorities = [1, 5, 9];
  const tasks = priorities.flatMap((priority) => Array.from({ length: each }, () => t.task({ priority })));
  const priorityOf = new Map(tasks.map(({ id, priority }) => [id, priority]));
  worker.onTask = (task) => {
    begun.push(priorityOf.get(task.id)!);
    t.clock.after(1_000, () => worker.end(task, undefined, 1_000));
  };
  await t.insert(tasks);
  const startedIn = async (ms: number) => {
    const before = begun.length;
    await t.clock.advance(ms);
    const started = begun.slice(before);
    return priorities.map((priority) => started.filter((each) => each === priority).length / started.length);
  };
  return { ...t, startedIn };
}

test("under lasting overload every band has its share from the first moment, and the lowest more and more as it waits", async () => {
  const t = await overload({ slots: 4, each: 900 });
  const [urgent, normal, idle] = (await t.startedIn(60_000)) as [number, number, number];
  expect(idle).toBeGreaterThanOrEqual(1 / 15);
  expect(urgent).toBeGreaterThan(normal);
  expect(normal).toBeGreaterThan(idle);
  await t.startedIn(240_000);
  const [urgentLater, normalLater, idleLater] = (await t.startedIn(120_000)) as [number, number, number];
  expect(idleLater).toBeGreaterThan(0.25);
  expect(normalLater).toBeGreaterThan(0.25);
  expect(urgentLater).toBeGreaterThan(0.35);
});

test("a task whose priority is raised goes before those that waited longer, as soon as a slot is free", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker({ slots: 1 });
  const ids = await t.insert(Array.from({ length: 200 }, () => t.task({ priority: 9 })));
  await t.clock.advance(100);
  const last = ids.at(-1)!;
  const answer = await t.store.patchTask("default", last, { priority: 1 }, t.clock.now());
  if (answer.kind !== "done") throw new Error(answer.kind);
  t.engine.dispatcher.noticeCreated([answer.task]);
  await t.clock.advance(100);
  // What was claimed before the change still goes before it.
  for (let ended = 0; ended < 3; ended++) {
    worker.end(worker.tasks.at(-1)!);
    await t.clock.advance(100);
  }
  expect(worker.tasks.map(({ id }) => id)).toContain(last);
});
