import { expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";

async function running(tasks = 1) {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker();
  await t.insert(Array.from({ length: tasks }, () => t.task()));
  await t.clock.advance(100);
  const say = (index: number, fraction: number, over: object = {}) => {
    const { id, token } = worker.tasks[index]!;
    worker.send({ kind: "progress", reports: [{ id, token, fraction, message: null, ...over }] });
  };
  const progress = async (index: number) => (await t.state(worker.tasks[index]!.id)).progress?.fraction ?? null;
  return { ...t, worker, say, progress };
}

test("what a worker says about its tasks is written at once, and then about once a second", async () => {
  const t = await running(2);
  t.say(0, 0.1);
  t.say(1, 0.2);
  await t.clock.advance(10);
  expect([await t.progress(0), await t.progress(1)]).toEqual([0.1, 0.2]);
  for (let step = 3; step < 10; step++) {
    t.say(0, step / 10);
    await t.clock.advance(100);
  }
  expect(await t.progress(0)).toBe(0.1);
  await t.clock.advance(1_000);
  expect(await t.progress(0)).toBe(0.9);
});

test("the last word of a task that has ended is kept", async () => {
  const t = await running();
  t.say(0, 0.1);
  await t.clock.advance(10);
  t.say(0, 1);
  t.worker.end(t.worker.tasks[0]!);
  await t.clock.advance(2_000);
  expect(await t.state(t.worker.tasks[0]!.id)).toMatchObject({ state: "succeeded", progress: { fraction: 1 } });
});

test("nobody speaks for a task that it does not hold", async () => {
  const t = await running();
  t.say(0, 0.7, { token: 99n });
  await t.clock.advance(10);
  expect(await t.progress(0)).toBeNull();
});

test("what the store did not take is written when it is back, unless something newer has come", async () => {
  const t = await running(2);
  t.faults.failBefore = 1;
  t.say(0, 0.1);
  t.say(1, 0.2);
  await t.clock.advance(500);
  t.say(0, 0.3);
  t.faults.failBefore = 0;
  await t.clock.advance(2_500);
  expect([await t.progress(0), await t.progress(1)]).toEqual([0.3, 0.2]);
});
