import { expect, onTestFinished, test, vi } from "vitest";
import { ManualClock, settled } from "../test/manual-clock.ts";
import { assigned, ScriptedTransport } from "../test/scripted-transport.ts";
import { noop, sleep } from "./builtin.ts";
import { processClock } from "./process-clock.ts";
import { Worker } from "./worker.ts";

async function runningWorker() {
  const transport = new ScriptedTransport();
  const worker = new Worker({ tasks: [noop, sleep], clock: new ManualClock(), transport, signals: false });
  worker.start();
  await new Promise((resolve) => setImmediate(resolve));
  await transport.link.welcome();
  return transport.link;
}

test("`noop` does nothing, and `sleep` waits as long as it is told to", async () => {
  const link = await runningWorker();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const [nothing, long, wrong] = [
    assigned("noop", { payload: '{"any":"thing"}' }),
    assigned("sleep", { payload: '{"for":"10m"}' }),
    assigned("sleep", { payload: '{"for":20}' }),
  ];
  await link.give(nothing, long, wrong);
  expect(link.report(nothing)).toEqual({ kind: "succeeded", result: "null" });
  expect(link.report(wrong)).toMatchObject({ kind: "failed", error: { message: expect.stringContaining("duration") } });
  await vi.advanceTimersByTimeAsync(599_999);
  expect(link.report(long)).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  await settled();
  expect(link.report(long)).toEqual({ kind: "succeeded", result: "null" });
});

test("a cancelled `sleep` wakes at once", async () => {
  const link = await runningWorker();
  const long = assigned("sleep", { payload: '{"for":"24h"}' });
  await link.give(long);
  await link.say({ kind: "cancels", cancels: [{ ...long, reason: null }] });
  expect(link.report(long)).toEqual({ kind: "cancelled" });
});

test("the process' clock waits longer than its timers can, and its time does not step back", () => {
  vi.useFakeTimers();
  try {
    const clock = processClock();
    const called: string[] = [];
    clock.after(40 * 86_400_000, () => called.push("after 40 days"));
    const cancel = clock.after(30 * 86_400_000, () => called.push("never"));
    vi.advanceTimersByTime(25 * 86_400_000);
    cancel();
    vi.advanceTimersByTime(15 * 86_400_000 - 1);
    expect(called).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(called).toEqual(["after 40 days"]);
  } finally {
    vi.useRealTimers();
  }
  const clock = processClock();
  let last = clock.now();
  for (let i = 0; i < 1_000; i++) {
    const now = clock.now();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(60_000);
});
