import { defaultPolicy } from "@carillon/core";
import type { ScriptedWorker } from "@carillon/testkit";
import { expect, test } from "vitest";
import { failed, setup } from "../../test/dispatch-world.ts";

const limited = { ...defaultPolicy, finishWithinMs: 2_000 };
const told = ({ heard }: ScriptedWorker) =>
  heard.flatMap((message) =>
    message.kind === "cancels" ? message.cancels : message.kind === "lost" ? message.tasks : [],
  );
const overdue = { state: "failed", error: { code: "finish_within" } };

test("a task that no worker takes fails soon after its finishWithin, and others wait on", async () => {
  const t = await setup();
  const policy = { ...defaultPolicy, finishWithinMs: 20_000 };
  const [hasty, patient] = await t.insert([t.task({ policy }), t.task()]);
  await t.clock.advance(17_000);
  expect(await t.state(hasty!)).toMatchObject({ state: "pending", priority: 3 });
  await t.clock.advance(4_100);
  expect(await t.state(hasty!)).toMatchObject({ ...overdue, attempt: 0, startedAt: null });
  expect(await t.state(patient!)).toMatchObject({ state: "pending", priority: 5 });
});

test("a running one is told to stop at its deadline, and what it then returns counts no more", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker();
  const [id] = await t.insert([t.task({ policy: limited })]);
  await t.clock.advance(1_900);
  expect(told(worker)).toEqual([]);
  await t.clock.advance(500);
  expect(told(worker)).toMatchObject([{ id, reason: "finish_within" }]);
  worker.end(worker.tasks[0]!);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ ...overdue, attempt: 1, result: null });
});

test("one that does not stop is given up after the grace, and what comes of it later is refused", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker();
  const [id] = await t.insert([t.task({ policy: limited })]);
  await t.clock.advance(2_300);
  await t.clock.advance(29_000);
  expect(await t.state(id!)).toMatchObject({ state: "running" });
  await t.clock.advance(1_500);
  expect(await t.state(id!)).toMatchObject(overdue);
  expect(told(worker)).toMatchObject([{ id, reason: "finish_within" }, { id }]);
});

test("a retry that would come after the deadline is not made: the failure is the attempt's own", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker();
  const backoff = { ...defaultPolicy.retry.backoff, initialMs: 60_000, jitter: "none" as const };
  const [id] = await t.insert([t.task({ policy: { ...limited, retry: { maxAttempts: 3, backoff } } })]);
  await t.clock.advance(100);
  worker.end(worker.tasks[0]!, failed());
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "failed", attempt: 1, error: { code: "handler_error" } });
});

test("a node that holds a task past its deadline does not start it, though a slot is free again", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker({ slots: 2 });
  const dueAt = t.clock.now() + 1_000;
  const policy = { ...defaultPolicy, finishWithinMs: 10 };
  const [first, second] = await t.insert([t.task({ dueAt, priority: 1 }), t.task({ dueAt, policy })]);
  await t.clock.advance(900);
  worker.send({ kind: "capacity", slots: 1 });
  await t.clock.advance(100);
  expect(worker.tasks.map(({ id }) => id)).toEqual([first]);
  await t.clock.advance(11);
  worker.end(worker.tasks[0]!);
  await t.clock.advance(10);
  expect(await t.state(second!)).toMatchObject({ ...overdue, attempt: 0 });
  expect(worker.tasks).toHaveLength(1);
});
