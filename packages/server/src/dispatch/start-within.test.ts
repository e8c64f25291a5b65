import { defaultPolicy } from "@carillon/core";
import { expect, test } from "vitest";
import { failed, setup } from "../../test/dispatch-world.ts";

const hurried = { ...defaultPolicy, startWithinMs: 2_000 };
const skipped = { state: "skipped", reason: "start_within", attempt: 0, startedAt: null };

test("a task that no worker takes is skipped soon after its startWithin, and others wait on", async () => {
  const t = await setup();
  const [hasty, patient] = await t.insert([t.task({ policy: hurried }), t.task()]);
  await t.clock.advance(2_000);
  expect(await t.state(hasty!)).toMatchObject({ state: "pending" });
  await t.clock.advance(1_100);
  expect(await t.state(hasty!)).toMatchObject(skipped);
  expect(await t.state(patient!)).toMatchObject({ state: "pending" });
});

test("a node that holds a task past its startWithin does not start it, though a slot is free again", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker({ slots: 2 });
  const dueAt = t.clock.now() + 1_000;
  const policy = { ...defaultPolicy, startWithinMs: 10 };
  const [first, second] = await t.insert([t.task({ dueAt, priority: 1 }), t.task({ dueAt, policy })]);
  await t.clock.advance(900);
  worker.send({ kind: "capacity", slots: 1 });
  await t.clock.advance(100);
  expect(worker.tasks.map(({ id }) => id)).toEqual([first]);
  await t.clock.advance(11);
  expect(await t.state(second!)).toMatchObject({ state: "claimed" });
  worker.end(worker.tasks[0]!);
  await t.clock.advance(10);
  expect(await t.state(second!)).toMatchObject(skipped);
  expect(worker.tasks).toHaveLength(1);
});

test("a retry is no first start: it comes, however long after the startWithin", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker();
  const backoff = { ...defaultPolicy.retry.backoff, initialMs: 60_000, jitter: "none" as const };
  const policy = { ...hurried, retry: { maxAttempts: 2, backoff } };
  await t.insert([t.task({ policy })]);
  await t.clock.advance(100);
  worker.end(worker.tasks[0]!, failed());
  await t.clock.advance(61_000);
  expect(worker.tasks.map(({ attempt }) => attempt)).toEqual([1, 2]);
});
