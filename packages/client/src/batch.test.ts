import { expect, expectTypeOf, test } from "vitest";
import { ManualClock, settled } from "../test/manual-clock.ts";
import { assigned, ScriptedTransport } from "../test/scripted-transport.ts";
import type { BatchOptions } from "./batch.ts";
import { Discard, Fatal, RetryAfter, Snooze } from "./errors.ts";
import { type StandardSchema, type TaskContext, type TaskDefinition, task } from "./task.ts";
import { Worker } from "./worker.ts";

/** A worker of one type whose tasks are handed over together, and each call of it. */
async function setup(batch: BatchOptions, { concurrency = 100, schema = {}, timeout = {} } = {}) {
  const clock = new ManualClock();
  const transport = new ScriptedTransport();
  const calls: {
    payloads: unknown[];
    contexts: TaskContext[];
    end(outcomes: unknown[]): void;
    fail(error: unknown): void;
  }[] = [];
  const definition = task("load", {
    ...schema,
    ...timeout,
    batch,
    runMany: (payloads: unknown[], contexts) =>
      new Promise<unknown[]>((resolve, reject) => {
        calls.push({ payloads, contexts, end: resolve, fail: reject });
      }),
  });
  const worker = new Worker({ tasks: [definition], name: "w1", clock, transport, random: () => 0.5, concurrency });
  worker.start();
  await settled();
  await transport.link.welcome(["http://a"], clock.now());
  const give = async (count: number) => {
    const tasks = [...Array(count).keys()].map((n) => assigned("load", { payload: String(n) }));
    await transport.link.give(...tasks);
    return tasks;
  };
  const reports = () => transport.link.outcomes.map(({ report }) => report.kind);
  return { clock, transport, worker, calls, give, reports };
}

test("tasks of one type are handed to one call, as many as fit, and each has its own outcome", async () => {
  const t = await setup({ size: 3, wait: "50ms" });
  const tasks = await t.give(4);
  expect(t.calls.map(({ payloads }) => payloads)).toEqual([[0, 1, 2]]);
  expect(t.calls[0]!.contexts.map(({ idempotencyKey }) => idempotencyKey)).toHaveLength(3);
  // The fourth waits for others, but not for ever.
  await t.clock.advance(50);
  expect(t.calls.map(({ payloads }) => payloads)).toEqual([[0, 1, 2], [3]]);
  t.calls[0]!.end([{ rows: 1 }, new Error("no"), null]);
  t.calls[1]!.end([undefined]);
  await settled();
  const reportOf = (n: number) => t.transport.link.report(tasks[n]!);
  expect(reportOf(0)).toEqual({ kind: "succeeded", result: '{"rows":1}' });
  expect(reportOf(1)).toMatchObject({
    kind: "failed",
    error: { code: "handler_error", message: "no" },
    retryable: true,
  });
  expect(reportOf(2)).toEqual({ kind: "succeeded", result: "null" });
  expect(reportOf(3)).toEqual({ kind: "succeeded", result: null });
});

test("an outcome may say how its task failed, and is no failure of the others", async () => {
  const t = await setup({ size: 4 });
  const tasks = await t.give(4);
  t.calls[0]!.end([new RetryAfter("5s"), new Snooze("1h"), new Fatal("never"), new Discard("not needed")]);
  await settled();
  expect(tasks.map((task) => t.transport.link.report(task))).toMatchObject([
    { kind: "failed", retryAfterMs: 5_000, retryable: true },
    { kind: "snoozed", delayMs: 3_600_000 },
    { kind: "failed", retryable: false },
    { kind: "discarded", reason: "not needed" },
  ]);
});

test("a call that throws, or answers with too few outcomes, fails its tasks and no others", async () => {
  const t = await setup({ size: 2 });
  const tasks = await t.give(6);
  t.calls[0]!.fail(new Error("the database is away"));
  t.calls[1]!.end(["only one"]);
  t.calls[2]!.end(["a", "b"]);
  await settled();
  expect(t.reports()).toEqual(["failed", "failed", "failed", "failed", "succeeded", "succeeded"]);
  expect(t.transport.link.report(tasks[3]!)).toMatchObject({
    error: { message: "runMany gave 1 outcomes for 2 tasks" },
  });
});

test("one task is cancelled alone: its signal fires, and the call goes on for the others", async () => {
  const t = await setup({ size: 2, wait: "20ms" });
  const [first, second] = await t.give(2);
  await t.transport.link.say({ kind: "cancels", cancels: [{ id: first!.id, token: first!.token, reason: "enough" }] });
  const [call] = t.calls;
  expect(call!.contexts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  call!.end([new Error("stopped"), "done"]);
  await settled();
  expect(t.transport.link.report(first!)).toEqual({ kind: "cancelled" });
  expect(t.transport.link.report(second!)).toEqual({ kind: "succeeded", result: '"done"' });
  // One that still waits for others never begins.
  const [waiting] = await t.give(1);
  await t.transport.link.say({ kind: "cancels", cancels: [{ id: waiting!.id, token: waiting!.token, reason: null }] });
  await t.clock.advance(20);
  expect(t.calls).toHaveLength(1);
  expect(t.transport.link.report(waiting!)).toEqual({ kind: "cancelled" });
});

test("a task that runs into its timeout ends alone, whatever the call does later", async () => {
  const t = await setup({ size: 2 });
  const tasks = [assigned("load", { payload: "1", timeoutMs: 1_000 }), assigned("load", { payload: "2" })];
  await t.transport.link.give(...tasks);
  await t.clock.advance(1_000);
  expect(t.transport.link.report(tasks[0]!)).toMatchObject({ kind: "failed", error: { code: "timeout" } });
  expect(t.calls[0]!.contexts[0]!.signal.aborted).toBe(true);
  t.calls[0]!.end(["late", "in time"]);
  await settled();
  expect(t.reports()).toEqual(["failed", "succeeded"]);
});

test("a worker that can hold no more waits for no more", async () => {
  const t = await setup({ size: 50, wait: "1h" }, { concurrency: 3 });
  await t.give(3);
  expect(t.calls.map(({ payloads }) => payloads)).toEqual([[0, 1, 2]]);
});

test("a payload that does not fit its schema fails alone, and its batch goes on without it", async () => {
  const schema: StandardSchema<number> = {
    "~standard": {
      version: 1,
      validate: (value) => (value === 1 ? { issues: [{ message: "not one" }] } : { value: value as number }),
    },
  };
  const t = await setup({ size: 2 }, { schema: { schema } });
  const tasks = await t.give(3);
  expect(t.calls.map(({ payloads }) => payloads)).toEqual([[0, 2]]);
  expect(t.transport.link.report(tasks[1]!)).toMatchObject({ kind: "failed", error: { code: "invalid_payload" } });
});

test("a definition says its payload and result, and refuses a batch that makes no sense", async () => {
  const insert = task("insert", {
    batch: { size: 10 },
    runMany: async (rows: { id: number }[]) => rows.map(({ id }) => (id > 0 ? { id } : new Fatal("no"))),
  });
  expectTypeOf(insert).toExtend<TaskDefinition<{ id: number }, { id: number }>>();
  // Without a worker it runs one task.
  expect(await insert.run({ id: 7 }, { signal: new AbortController().signal } as TaskContext)).toEqual({ id: 7 });
  for (const batch of [
    { size: 0 },
    { size: 1.5 },
    { size: 10_001 },
    { size: 2, wait: "soon" },
    { size: 2, wait: "2h" },
  ]) {
    expect(() => task("insert", { batch, runMany: () => [] })).toThrow();
  }
});
