/** In real threads: a handler that blocks keeps nobody waiting, and is ended with its thread. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { assigned, ScriptedTransport } from "../test/scripted-transport.ts";
import { processClock } from "./process-clock.ts";
import { type AnyTask, task } from "./task.ts";
import { Worker, type WorkerOptions } from "./worker.ts";

const module = new URL("../test/threaded-tasks.mjs", import.meta.url);
const threaded = Object.values((await import(module.href)) as Record<string, AnyTask>);
const quick = task("quick", { run: () => "quick" });

async function until(done: () => unknown): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function setup(options: Partial<WorkerOptions> = {}) {
  const transport = new ScriptedTransport();
  const worker = new Worker({ tasks: [quick, ...threaded], name: "w1", transport, clock: processClock(), ...options });
  onTestFinished(async () => {
    const closing = worker.close({ timeout: "1ms" });
    if (options.clock instanceof ManualClock) await options.clock.advance(10_000);
    await closing;
  });
  worker.start();
  await until(() => transport.links.length > 0);
  const { link } = transport;
  await link.welcome([], Date.now());
  const pongs = setInterval(() => void link.say({ kind: "pong" }), 250);
  onTestFinished(() => clearInterval(pongs));
  const give = async (type: string, payload: unknown = null, over = {}) => {
    const given = assigned(type, { payload: JSON.stringify(payload), ...over });
    await link.give(given);
    return given;
  };
  const reportOf = async (given: { id: bigint }) => {
    await until(() => link.report(given));
    return link.report(given)!;
  };
  return { link, give, reportOf };
}

test("a handler that blocks its thread keeps its neighbours, on the event loop and in threads, not waiting", async () => {
  const t = await setup();
  const folder = mkdtempSync(join(tmpdir(), "carillon-thread-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const until = join(folder, "go");
  const slow = await t.give("blocking", { until });
  await t.reportOf(await t.give("quick"));
  await t.reportOf(await t.give("telling"));
  expect(t.link.report(slow)).toBeUndefined();
  writeFileSync(until, "");
  expect(await t.reportOf(slow)).toEqual({ kind: "succeeded", result: '"done"' });
});

test("result, log lines and progress come out of a thread", async () => {
  const t = await setup();
  const given = await t.give("telling", { n: 1 });
  const report = await t.reportOf(given);
  expect(report.kind === "succeeded" && JSON.parse(report.result!)).toMatchObject({ payload: { n: 1 } });
  expect(t.link.all("logs").flatMap(({ lines }) => lines)).toMatchObject([
    { id: given.id, message: 'from a thread {"attempt":1}' },
  ]);
  expect(t.link.all("progress").flatMap(({ reports }) => reports)).toMatchObject([
    { id: given.id, fraction: 0.5, message: "half" },
  ]);
});

test("what a handler throws means in a thread what it means elsewhere, and its payload is checked", async () => {
  const t = await setup();
  expect(await t.reportOf(await t.give("telling", "snooze"))).toEqual({ kind: "snoozed", delayMs: 60_000 });
  expect(await t.reportOf(await t.give("telling", "fail"))).toMatchObject({
    kind: "failed",
    error: { code: "handler_error", name: "RangeError", message: "too far" },
    retryable: true,
  });
  expect(await t.reportOf(await t.give("strict", 2))).toMatchObject({
    kind: "failed",
    error: { code: "invalid_payload" },
  });
});

test("a thread that ends by itself fails its attempt, and the worker goes on", async () => {
  const t = await setup();
  expect(await t.reportOf(await t.give("telling", "exit"))).toMatchObject({
    kind: "failed",
    error: { message: "the handler's thread ended with exit code 3" },
    retryable: true,
  });
  expect(await t.reportOf(await t.give("telling"))).toMatchObject({ kind: "succeeded" });
});

test("a handler in a thread sees its signal", async () => {
  const t = await setup();
  const given = await t.give("obedient");
  await until(() => t.link.all("logs").length > 0);
  await t.link.say({ kind: "cancels", cancels: [{ id: given.id, token: given.token, reason: "no more" }] });
  expect(await t.reportOf(given)).toEqual({ kind: "cancelled" });
});

test("one that blocks through its cancellation is ended with its thread after the grace", async () => {
  const clock = new ManualClock();
  const t = await setup({ clock });
  const given = await t.give("blocking", { until: "/never" });
  await t.link.say({ kind: "cancels", cancels: [{ id: given.id, token: given.token, reason: null }] });
  const tick = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await clock.advance(500);
      await t.link.say({ kind: "pong" });
    }
  };
  await tick(4_500);
  expect(t.link.report(given)).toBeUndefined();
  await tick(500);
  expect(await t.reportOf(given)).toEqual({ kind: "cancelled" });
});

test("one that blocks beyond its timeout is reported then", async () => {
  const t = await setup();
  const given = await t.give("blocking", { until: "/never" }, { timeoutMs: 30 });
  expect(await t.reportOf(given)).toMatchObject({ kind: "failed", error: { code: "timeout" } });
});
