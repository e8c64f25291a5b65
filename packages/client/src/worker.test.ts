import { afterAll, beforeAll, expect, test } from "vitest";
import { ManualClock, settled } from "../test/manual-clock.ts";
import { assigned, type ScriptedLink, ScriptedTransport } from "../test/scripted-transport.ts";
import type { AttemptAborted } from "./errors.ts";
import { Discard, Fatal, RetryAfter, Snooze } from "./errors.ts";
import type { AssignedTask } from "./protocol.ts";
import { type StandardSchema, type TaskContext, task } from "./task.ts";
import { Worker, type WorkerOptions } from "./worker.ts";

const unhandled: unknown[] = [];
const notice = (reason: unknown) => unhandled.push(reason);
beforeAll(() => void process.on("unhandledRejection", notice));
afterAll(() => {
  process.off("unhandledRejection", notice);
  expect(unhandled).toEqual([]);
});

/** A handler that a test ends by hand. */
function byHand(type = "work") {
  const calls: { payload: unknown; context: TaskContext; end(value?: unknown): void; fail(error: unknown): void }[] =
    [];
  const definition = task(type, {
    run: (payload, context) =>
      new Promise((resolve, reject) => {
        calls.push({ payload, context, end: resolve, fail: reject });
      }),
  });
  return { definition, calls };
}

function start(options: Partial<WorkerOptions> = {}) {
  const clock = new ManualClock();
  const transport = new ScriptedTransport();
  const hand = byHand();
  const worker = new Worker({ tasks: [hand.definition], name: "w1", clock, transport, random: () => 0.5, ...options });
  return { clock, transport, worker, ...hand };
}

async function welcomed(options: Partial<WorkerOptions> = {}) {
  const t = start(options);
  t.worker.start();
  await settled();
  await t.transport.link.welcome(["http://a", "http://b"], t.clock.now());
  return t;
}

/** Runs one handler to its end and says what was reported. */
async function outcomeOf(run: (payload: unknown, context: TaskContext) => unknown, over: Partial<AssignedTask> = {}) {
  const t = await welcomed({ tasks: [task("one", { run })] });
  const given = assigned("one", over);
  await t.transport.link.give(given);
  await t.clock.advance(1_000);
  return t.transport.link.report(given);
}

// ------------------------------------------------------------------------------------------------------------ running

test("says what it runs, from which queues, and how much it can hold", async () => {
  const schemaless = task("send", {
    queue: "mail",
    timeout: "5m",
    retry: { maxAttempts: 3, backoff: { initial: "2s" } },
    run: () => null,
  });
  const { transport } = await welcomed({ tasks: [schemaless], concurrency: 7, labels: { zone: "b" } });
  expect(transport.link.hello).toMatchObject({
    worker: "w1",
    labels: { zone: "b" },
    queues: ["default", "mail"],
    slots: 7,
    held: [],
    types: [
      {
        type: "send",
        queue: "mail",
        timeoutMs: 300_000,
        retry: { maxAttempts: 3, backoff: { kind: "exponential", initialMs: 2_000, maxMs: 600_000 } },
      },
    ],
  });
});

test("a handler gets its payload and knows its task, and its result is reported with how long it took", async () => {
  const { transport, calls, clock } = await welcomed();
  const given = assigned("work", {
    payload: '{"customer":42}',
    attempt: 3,
    token: 9n,
    fireAt: Date.UTC(2026, 0, 1),
    schedule: "nightly",
    workflow: { id: 7n, key: "split" },
  });
  await transport.link.give(given);
  const { payload, context } = calls[0]!;
  expect(payload).toEqual({ customer: 42 });
  expect(context).toMatchObject({
    type: "work",
    queue: "default",
    attempt: 3,
    fencingToken: "9",
    schedule: "nightly",
    workflow: { id: "wf_0000000000007", key: "split" },
    fireAt: new Date(Date.UTC(2026, 0, 1)),
    dueAt: new Date(given.dueAt),
  });
  expect(context.taskId).toMatch(/^task_[0-9a-z]{13}$/);
  expect(context.idempotencyKey).toBe(context.taskId);
  await clock.advance(250);
  calls[0]!.end({ sent: true });
  await settled();
  expect(transport.link.outcomes).toEqual([
    {
      id: given.id,
      token: 9n,
      waitedMs: 0,
      ranMs: 250,
      keptMs: 0,
      report: { kind: "succeeded", result: '{"sent":true}' },
    },
  ]);
});

test("what a task waits for its turn, and its outcome for its link, is told apart from how long it ran", async () => {
  const clock = new ManualClock();
  let at = 0;
  clock.monotonic = () => at;
  const busy = task("busy", {
    run() {
      at += 10;
    },
  });
  const t = await welcomed({ tasks: [busy], clock });
  const [first, second] = [assigned("busy"), assigned("busy")];
  await t.transport.link.give(first, second);
  const [one, two] = t.transport.link.outcomes;
  expect(one).toMatchObject({ id: first.id, waitedMs: 0, ranMs: 10, keptMs: 10 });
  expect(two).toMatchObject({ id: second.id, waitedMs: 10, ranMs: 10, keptMs: 0 });
});

test("handlers that end in the same turn report in one message", async () => {
  const { transport, calls } = await welcomed();
  await transport.link.give(...Array.from({ length: 50 }, () => assigned("work")));
  for (const call of calls) call.end();
  await settled();
  expect(transport.link.all("outcomes")).toHaveLength(1);
  expect(transport.link.outcomes).toHaveLength(50);
});

test("an outcome is kept until a node has recorded it", async () => {
  const { transport, calls, worker } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  calls[0]!.end();
  await settled();
  expect(worker.held).toBe(1);
  await transport.link.record({ id: given.id, token: given.token + 1n });
  expect(worker.held).toBe(1);
  await transport.link.record(given);
  expect(worker.held).toBe(0);
});

test("a task that is said twice runs once", async () => {
  const { transport, calls } = await welcomed();
  const given = assigned("work", { token: 5n });
  await transport.link.give(given, given);
  await transport.link.give({ ...given, token: 4n });
  expect(calls).toHaveLength(1);
  expect(calls[0]!.context.signal.aborted).toBe(false);
});

test("a newer token stops the older attempt, whose outcome counts no more", async () => {
  const { transport, calls } = await welcomed();
  const given = assigned("work", { token: 5n });
  await transport.link.give(given);
  await transport.link.give({ ...given, token: 6n, attempt: 2 });
  expect(calls).toHaveLength(2);
  expect((calls[0]!.context.signal.reason as AttemptAborted).why).toBe("lease_lost");
  calls[0]!.end("old");
  await settled();
  expect(transport.link.outcomes).toEqual([]);
  calls[1]!.end("new");
  await settled();
  expect(transport.link.outcomes).toMatchObject([{ token: 6n, report: { kind: "succeeded", result: '"new"' } }]);
});

test("an outcome that waits is dropped when a newer token comes for its task", async () => {
  const { transport, calls, clock, worker } = await welcomed();
  const given = assigned("work", { token: 5n });
  await transport.link.give(given);
  await clock.advance(1_000);
  await transport.link.break();
  calls[0]!.end("old");
  await clock.advance(100);
  expect(transport.link.hello.held).toEqual([{ id: given.id, token: 5n }]);
  // The node gives it out again with its first words.
  await transport.link.give({ ...given, token: 6n });
  await transport.link.welcome();
  expect(transport.link.outcomes).toEqual([]);
  expect(worker.held).toBe(1);
});

test("a task of a type that this worker does not run fails and is tried again later", async () => {
  const { transport } = await welcomed();
  const given = assigned("stranger");
  await transport.link.give(given);
  expect(transport.link.report(given)).toMatchObject({ kind: "failed", retryable: true });
});

test("a payload is checked before the handler runs, and the handler gets what the schema made of it", async () => {
  const schema: StandardSchema<{ n: number }> = {
    "~standard": {
      version: 1,
      validate: async (value) => {
        const n = Number((value as { n?: unknown })?.n);
        return Number.isNaN(n) ? { issues: [{ message: "n is no number", path: ["n"] }] } : { value: { n } };
      },
    },
  };
  const got: unknown[] = [];
  const { transport } = await welcomed({
    tasks: [task("typed", { schema, run: (payload) => void got.push(payload) })],
  });
  const good = assigned("typed", { payload: '{"n":"7"}' });
  const bad = assigned("typed", { payload: '{"n":"seven"}' });
  const broken = assigned("typed", { payload: "{" });
  await transport.link.give(good, bad, broken);
  expect(got).toEqual([{ n: 7 }]);
  expect(transport.link.report(good)).toEqual({ kind: "succeeded", result: null });
  for (const refused of [bad, broken]) {
    expect(transport.link.report(refused)).toMatchObject({
      kind: "failed",
      retryable: false,
      error: { code: "invalid_payload" },
    });
  }
});

// ------------------------------------------------------------------------------------------------------------ outcomes

test("what a handler throws decides what follows", async () => {
  const thrower = (error: unknown) => () => {
    throw error;
  };
  expect(await outcomeOf(thrower(new Error("no")))).toMatchObject({
    kind: "failed",
    retryable: true,
    retryAfterMs: null,
    error: { code: "handler_error", name: "Error", message: "no", stack: expect.stringContaining("worker.test.ts") },
  });
  expect(await outcomeOf(thrower(new RetryAfter("90s")))).toMatchObject({
    kind: "failed",
    retryable: true,
    retryAfterMs: 90_000,
  });
  expect(await outcomeOf(thrower(new Snooze("1h")))).toEqual({ kind: "snoozed", delayMs: 3_600_000 });
  expect(await outcomeOf(thrower(new Fatal("never")))).toMatchObject({ kind: "failed", retryable: false });
  expect(await outcomeOf(thrower(new Discard("moot")))).toEqual({ kind: "discarded", reason: "moot" });
  const later = await outcomeOf(async () => {
    await settled();
    throw new Fatal("never");
  });
  expect(later).toMatchObject({ kind: "failed", retryable: false });
});

test("an error's own `retryable` is its own business, unless it is one of a built-in type", async () => {
  const foreign = Object.assign(new Error("throttled"), { retryable: false, retryAfterMs: 1, taskErrorCode: "mine" });
  expect(await outcomeOf(() => Promise.reject(foreign))).toMatchObject({
    retryable: true,
    retryAfterMs: null,
    error: { code: "handler_error" },
  });
  const own = Object.assign(new Error("404"), { retryable: false, taskErrorCode: "http_status" });
  expect(await outcomeOf(() => Promise.reject(own))).toMatchObject({
    retryable: false,
    error: { code: "http_status" },
  });
});

test("whatever is thrown becomes a report", async () => {
  const hostile = {
    get message() {
      return { toString: null };
    },
    toString() {
      throw new Error("no text");
    },
  };
  const oddError = Object.assign(new Error("x"), { name: 7, message: Symbol("m"), stack: { a: 1 } });
  for (const thrown of [undefined, null, "text", 7, Symbol("s"), Object.create(null), hostile, oddError, 10n]) {
    expect(await outcomeOf(() => Promise.reject(thrown)), String(typeof thrown)).toMatchObject({ kind: "failed" });
  }
  expect(await outcomeOf(() => Promise.reject("text"))).toMatchObject({ error: { message: "text" } });
});

test("an error is kept with its causes, within bounds, and without NUL", async () => {
  const report = await outcomeOf(() => {
    throw new Error(`fetch failed ${"ä".repeat(10_000)}\0`, { cause: new Error("connect ECONNREFUSED") });
  });
  if (report?.kind !== "failed") throw new Error("expected a failure");
  expect(Buffer.byteLength(report.error.message)).toBeLessThanOrEqual(8 * 1024);
  expect(report.error.message.endsWith("ä…")).toBe(true);
  expect(Buffer.byteLength(report.error.stack!)).toBeLessThanOrEqual(16 * 1024);
  const short = await outcomeOf(() => {
    throw new Error("outer\0", { cause: new Error("connect ECONNREFUSED", { cause: "DNS" }) });
  });
  if (short?.kind !== "failed") throw new Error("expected a failure");
  expect(short.error.stack).toMatch(/outer\uFFFD.*caused by: Error: connect ECONNREFUSED.*caused by: DNS/s);
  expect(short.error.message).toBe("outer\uFFFD");
});

test("a result that cannot be kept fails the task for good", async () => {
  expect(await outcomeOf(() => "x".repeat(256 * 1024))).toMatchObject({
    kind: "failed",
    retryable: false,
    error: { code: "result_too_large" },
  });
  expect(await outcomeOf(() => "x".repeat(256 * 1024 - 2))).toMatchObject({ kind: "succeeded" });
  expect(await outcomeOf(() => 10n)).toMatchObject({ kind: "failed", retryable: false });
  const deep = (levels: number): unknown => (levels === 0 ? "]]}" : [deep(levels - 1)]);
  expect(await outcomeOf(() => deep(64))).toMatchObject({ kind: "succeeded" });
  expect(await outcomeOf(() => deep(65))).toMatchObject({ kind: "failed", error: { code: "result_too_large" } });
  const broken: [unknown, string][] = [
    [{ text: "a\0b" }, "NUL"],
    [["\ud83d"], "half a character"],
    [{ "\udd14": 1 }, "half a character"],
    [JSON.parse('{"a":{"__proto__":1}}'), "__proto__"],
  ];
  for (const [result, why] of broken)
    expect(await outcomeOf(() => result)).toMatchObject({
      kind: "failed",
      retryable: false,
      error: { code: "handler_error", message: expect.stringContaining(why) },
    });
  expect(await outcomeOf(() => Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [n, 0])))).toMatchObject({
    error: { code: "result_too_large" },
  });
  expect(await outcomeOf(() => Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [n, 0])))).toMatchObject({
    kind: "succeeded",
  });
  for (const fine of ["\\u0000 \u0001 \u{1F514}", ["__proto__"]])
    expect(await outcomeOf(() => fine)).toEqual({ kind: "succeeded", result: JSON.stringify(fine) });
  expect(await outcomeOf(() => undefined)).toEqual({ kind: "succeeded", result: null });
  expect(await outcomeOf(() => () => 1)).toEqual({ kind: "succeeded", result: null });
});

test("an option that there is not is refused, with the one that may have been meant", () => {
  const options = { tasks: [], concurency: 5 } as never;
  expect(() => new Worker(options)).toThrow('there is no option "concurency"; did you mean concurrency?');
});

test("durations that are none are refused where they are written", () => {
  expect(() => new Snooze("soon")).toThrow(/not a duration/);
  expect(() => new RetryAfter("5")).toThrow(/not a duration/);
});

// ------------------------------------------------------------------------------------------------- timeout and cancel

/** Time passes while the node says that it is there. */
async function pass({ clock, transport }: { clock: ManualClock; transport: ScriptedTransport }, ms: number) {
  for (let left = ms; left > 0; left -= 500) {
    await clock.advance(Math.min(500, left));
    await transport.link.say({ kind: "pong" });
  }
}

const whyStopped = (context: TaskContext) => (context.signal.reason as AttemptAborted | undefined)?.why;

test("at the timeout the signal fires and the attempt has failed, also when the handler goes on", async () => {
  const t = await welcomed();
  const given = assigned("work", { timeoutMs: 5_000 });
  await t.transport.link.give(given);
  await pass(t, 4_999);
  expect(t.calls[0]!.context.signal.aborted).toBe(false);
  await pass(t, 1);
  expect(whyStopped(t.calls[0]!.context)).toBe("timeout");
  expect(t.transport.link.outcomes).toMatchObject([
    { ranMs: 5_000, report: { kind: "failed", retryable: true, error: { code: "timeout" } } },
  ]);
  t.calls[0]!.end("too late");
  await settled();
  expect(t.transport.link.outcomes).toHaveLength(1);
});

test("a cancellation reaches the signal with its reason; a handler that stops has been cancelled", async () => {
  const { transport, calls } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  await transport.link.say({ kind: "cancels", cancels: [{ id: given.id, token: 99n, reason: null }] });
  expect(calls[0]!.context.signal.aborted).toBe(false);
  await transport.link.say({ kind: "cancels", cancels: [{ ...given, reason: "customer left" }] });
  expect(whyStopped(calls[0]!.context)).toBe("cancelled");
  expect((calls[0]!.context.signal.reason as Error).message).toBe("customer left");
  expect(transport.link.outcomes).toEqual([]);
  calls[0]!.fail(new Error("aborted"));
  await settled();
  expect(transport.link.report(given)).toEqual({ kind: "cancelled" });
});

test("a handler that finishes in spite of a cancellation has succeeded", async () => {
  const { transport, calls } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  await transport.link.say({ kind: "cancels", cancels: [{ ...given, reason: null }] });
  calls[0]!.end("done");
  await settled();
  expect(transport.link.report(given)).toEqual({ kind: "succeeded", result: '"done"' });
});

test("a cancelled handler that goes on until its timeout has been cancelled", async () => {
  const t = await welcomed();
  const given = assigned("work", { timeoutMs: 2_000 });
  await t.transport.link.give(given);
  await t.transport.link.say({ kind: "cancels", cancels: [{ ...given, reason: null }] });
  await pass(t, 2_000);
  expect(t.transport.link.report(given)).toEqual({ kind: "cancelled" });
});

test("a lost task is aborted and forgotten: nothing is reported about it", async () => {
  const { transport, calls, worker } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  await transport.link.say({ kind: "lost", tasks: [given] });
  expect(whyStopped(calls[0]!.context)).toBe("lease_lost");
  expect(worker.held).toBe(0);
  calls[0]!.end();
  await settled();
  expect(transport.link.outcomes).toEqual([]);
});

// ---------------------------------------------------------------------------------------------------------------- logs

test("log lines go out together, before the outcome, in the node's time", async () => {
  const t = start();
  t.worker.start();
  await settled();
  await t.transport.link.welcome([], t.clock.now() + 3_600_000);
  const given = assigned("work", { attempt: 2 });
  await t.transport.link.give(given);
  const { log } = t.calls[0]!.context;
  log.info("one");
  log.error("two");
  expect(t.transport.link.all("logs")).toEqual([]);
  await t.clock.advance(200);
  expect(t.transport.link.all("logs")).toMatchObject([
    {
      lines: [
        { id: given.id, token: given.token, attempt: 2, level: "info", message: "one" },
        { level: "error", message: "two" },
      ],
    },
  ]);
  expect(t.transport.link.all("logs")[0]!.lines[0]!.at).toBe(t.clock.now() - 200 + 3_600_000);
  log.warn("three");
  t.calls[0]!.end();
  await settled();
  expect(t.transport.link.sent.slice(-2).map(({ kind }) => kind)).toEqual(["logs", "outcomes"]);
});

test("a line is cut at 8 KiB, and a task's log at 10 MiB", async () => {
  const t = await welcomed();
  const { transport, calls } = t;
  await transport.link.give(assigned("work"));
  const { log } = calls[0]!.context;
  log.info("x".repeat(10_000));
  log.info(Symbol("odd"));
  log.info("read", { rows: 3 }, [1], null);
  await pass(t, 200);
  const [first, odd, several] = transport.link.all("logs")[0]!.lines;
  expect(Buffer.byteLength(first!.message)).toBe(8 * 1024);
  expect(odd!.message).toBe("Symbol(odd)");
  expect(several!.message).toBe('read {"rows":3} [1] null');
  for (let i = 0; i < 2_000; i++) {
    log.info("y".repeat(8_192));
    if (i % 100 === 0) await pass(t, 200);
  }
  await pass(t, 200);
  const lines = transport.link.all("logs").flatMap((message) => message.lines);
  expect(lines.at(-1)!.message).toMatch(/^The log is full/);
  const bytes = lines.reduce((sum, { message }) => sum + Buffer.byteLength(message), 0);
  expect(bytes + lines.length * 64).toBeLessThan(10 * 1024 * 1024 + 200);
  expect(bytes + lines.length * 64).toBeGreaterThan(10 * 1024 * 1024 - 10_000);
});

test("a task's log has at most 100,000 lines, empty ones too", async () => {
  const t = await welcomed();
  await t.transport.link.give(assigned("work"));
  for (let i = 0; i < 100_100; i++) {
    t.calls[0]!.context.log.info("");
    if (i % 1_000 === 0) await pass(t, 200);
  }
  await pass(t, 200);
  const lines = t.transport.link.all("logs").flatMap((message) => message.lines);
  expect(lines).toHaveLength(100_001);
  expect(lines.at(-1)!.message).toMatch(/^The log is full/);
});

test("who writes many lines keeps nobody else's log and outcome waiting, and its own outcome follows its log", async () => {
  const t = await welcomed();
  const [chatty, quiet, silent] = [assigned("work"), assigned("work"), assigned("work")];
  await t.transport.link.give(chatty, quiet, silent);
  for (let i = 0; i < 5_000; i++) t.calls[0]!.context.log.info(`${i}`);
  t.calls[1]!.context.log.info("here");
  for (const call of t.calls) call.end();
  await settled();
  const { link } = t.transport;
  expect(link.sent.slice(-2).map(({ kind }) => kind)).toEqual(["logs", "outcomes"]);
  expect(link.all("logs")[0]!.lines.map(({ message }) => message)).toContain("here");
  expect(link.outcomes.map(({ id }) => id)).toEqual([quiet.id, silent.id]);
  await pass(t, 200);
  expect(link.all("logs").every(({ lines }) => lines.length <= 1_000)).toBe(true);
  const logged = link.all("logs").flatMap(({ lines }) => lines.filter(({ id }) => id === chatty.id));
  expect(logged.map(({ message }) => message)).toEqual(Array.from({ length: 5_000 }, (_, i) => `${i}`));
  expect(link.sent.at(-1)).toMatchObject({ kind: "outcomes", outcomes: [{ id: chatty.id }] });
});

test("a worker that leaves says how its tasks ended, although their logs were not sent yet", async () => {
  const t = await welcomed();
  const chatty = assigned("work");
  await t.transport.link.give(chatty);
  for (let i = 0; i < 90_000; i++) t.calls[0]!.context.log.info("");
  void t.worker.close({ timeout: "0s" });
  for (let i = 0; i < 10; i++) await pass(t, 500);
  expect(t.transport.links.flatMap((link) => link.outcomes)).toMatchObject([
    { id: chatty.id, report: { kind: "released" } },
  ]);
});

test("without a node the newest lines are kept, up to 8 MiB", async () => {
  const { transport, calls, clock } = await welcomed();
  await transport.link.give(assigned("work"), assigned("work"));
  transport.down = true;
  await transport.link.break();
  for (const { context } of calls) for (let i = 0; i < 1_200; i++) context.log.info(`${i} ${"z".repeat(8_000)}`);
  transport.down = false;
  await clock.advance(2_000);
  await transport.link.welcome();
  await clock.advance(20);
  const lines = transport.link.all("logs").flatMap((message) => message.lines);
  const bytes = lines.reduce((sum, { message }) => sum + message.length, 0);
  expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
  expect(bytes).toBeGreaterThan(7.9 * 1024 * 1024);
  expect(lines.at(-1)!.message).toMatch(/^1199 /);
});

// ---------------------------------------------------------------------------------------------------------- connection

test("a broken link is replaced at once, and what runs is presented, not aborted", async () => {
  const { transport, calls, clock } = await welcomed();
  const running = assigned("work");
  const ended = assigned("work");
  await transport.link.give(running, ended);
  await clock.advance(1_000);
  calls[1]!.end("done");
  await settled();
  expect(transport.link.outcomes).toHaveLength(1);
  await transport.link.break();
  await clock.advance(50);
  expect(transport.links).toHaveLength(2);
  expect(transport.link.nodes).toEqual(["http://a", "http://b"]);
  expect(transport.link.hello.held).toEqual([running, ended].map(({ id, token }) => ({ id, token })));
  expect(calls[0]!.context.signal.aborted).toBe(false);
  expect(transport.link.outcomes).toEqual([]);
  await transport.link.welcome();
  expect(transport.link.report(ended)).toEqual({ kind: "succeeded", result: '"done"' });
  calls[0]!.end("too");
  await settled();
  expect(transport.link.report(running)).toEqual({ kind: "succeeded", result: '"too"' });
});

test("an outcome that ended without a node is sent to the next one", async () => {
  const { transport, calls, clock } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  transport.down = true;
  await transport.link.break();
  calls[0]!.end();
  await clock.advance(60_000);
  transport.down = false;
  await clock.advance(2_000);
  await transport.link.welcome();
  expect(transport.link.report(given)).toEqual({ kind: "succeeded", result: null });
});

test("a node that is silent for 1.5 s is left, and what still comes from it is ignored", async () => {
  const { transport, calls, clock, worker } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  await clock.advance(1_400);
  await transport.link.say({ kind: "pong" });
  const silent = transport.link;
  await clock.advance(1_499);
  expect(silent.closed).toBe(false);
  await clock.advance(1);
  expect(silent.closed).toBe(true);
  await clock.advance(50);
  expect(transport.links).toHaveLength(2);
  await silent.say({ kind: "lost", tasks: [given] });
  await silent.give(assigned("work"));
  expect(worker.held).toBe(1);
  expect(calls).toHaveLength(1);
});

test("a node that takes the connection and never says a word is left, too", async () => {
  const { transport, clock, worker } = start();
  worker.start();
  await clock.advance(1_500);
  expect(transport.links[0]!.closed).toBe(true);
  await clock.advance(50);
  expect(transport.links).toHaveLength(2);
});

test("a worker that stood still itself reads what the node said before it judges", async () => {
  const { transport, clock } = await welcomed();
  await clock.stall(5_000);
  expect(transport.link.closed).toBe(false);
  await transport.link.say({ kind: "pong" });
  await clock.advance(1_400);
  expect(transport.link.closed).toBe(false);
  await clock.stall(5_000);
  await clock.advance(500);
  expect(transport.links[0]!.closed).toBe(true);
});

test("pings every 500 ms", async () => {
  const t = await welcomed();
  await pass(t, 5_000);
  expect(t.transport.link.all("ping")).toHaveLength(10);
});

test("goes elsewhere when the node asks, says goodbye, and keeps what runs", async () => {
  const { transport, calls, clock } = await welcomed();
  const given = assigned("work");
  await transport.link.give(given);
  const first = transport.link;
  await clock.advance(1_000);
  await first.say({ kind: "go-elsewhere", nodes: ["http://c"] });
  expect(first.sent.at(-1)).toEqual({ kind: "leaving" });
  expect(first.closed).toBe(true);
  await clock.advance(50);
  expect(transport.link.nodes).toEqual(["http://c"]);
  expect(transport.link.hello.held).toEqual([{ id: given.id, token: given.token }]);
  expect(calls[0]!.context.signal.aborted).toBe(false);
});

test("pauses longer and longer, up to 2 s, while no node is there, and for ever", async () => {
  const { transport, clock, worker } = start({ random: () => 0.999 });
  transport.down = true;
  worker.start();
  await clock.advance(1_000);
  expect(transport.links.length).toBeLessThan(7);
  await clock.advance(60_000);
  const before = transport.links.length;
  await clock.advance(60_000);
  expect(transport.links.length - before).toBe(30);
});

test("nodes that send a worker round in circles are not asked in a hot loop", async () => {
  const { transport, clock, worker } = start({ random: () => 0.999 });
  worker.start();
  await settled();
  for (let i = 0; i < 200; i++) {
    await transport.link.welcome();
    await transport.link.say({ kind: "go-elsewhere", nodes: [] });
    await clock.advance(50);
  }
  expect(transport.links.length).toBeLessThan(15);
});

test("`connected` resolves with each welcome", async () => {
  const { transport, worker, clock } = start();
  let times = 0;
  void worker.connected().then(() => times++);
  worker.start();
  await settled();
  expect(times).toBe(0);
  await transport.link.welcome();
  expect(times).toBe(1);
  await worker.connected();
  await transport.link.break();
  await clock.advance(50);
  void worker.connected().then(() => times++);
  await settled();
  expect(times).toBe(1);
  await transport.link.welcome();
  expect(times).toBe(2);
});

test("a transport that throws is a node that is not there", async () => {
  const clock = new ManualClock();
  const transport = new ScriptedTransport();
  let tries = 0;
  const throwing = {
    connect(...args: Parameters<ScriptedTransport["connect"]>) {
      if (++tries < 3) throw new Error("bad address");
      return transport.connect(...args);
    },
  };
  const worker = new Worker({ tasks: [byHand().definition], clock, transport: throwing });
  worker.start();
  await clock.advance(1_000);
  expect(transport.links.length).toBeGreaterThan(0);
});

test("reconnecting for hours leaves nothing behind", async () => {
  const { transport, clock, worker } = start();
  transport.down = true;
  worker.start();
  await clock.advance(3_600_000);
  expect(transport.links.length).toBeGreaterThan(1_000);
  expect(clock.pending).toBeLessThanOrEqual(1);
  expect(transport.links.slice(0, -1).every(({ closed }) => closed)).toBe(true);
});

// ------------------------------------------------------------------------------------------------------------- closing

test("drains: takes nothing new, waits for what runs, and says goodbye", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  let closed = false;
  const closing = t.worker.close().then(() => {
    closed = true;
  });
  await settled();
  expect(t.transport.link.sent.at(-1)).toEqual({ kind: "capacity", slots: 0 });
  const late = assigned("work");
  await t.transport.link.give(late);
  expect(t.calls).toHaveLength(1);
  expect(t.transport.link.outcomes).toEqual([
    { id: late.id, token: late.token, waitedMs: 0, ranMs: 0, keptMs: 0, report: { kind: "released" } },
  ]);
  await t.transport.link.record(late);
  await pass(t, 20_000);
  expect(closed).toBe(false);
  expect(t.calls[0]!.context.signal.aborted).toBe(false);
  t.calls[0]!.end();
  await settled();
  expect(closed).toBe(false);
  await t.transport.link.record(given);
  await closing;
  expect(t.transport.link.sent.at(-1)).toEqual({ kind: "leaving" });
  expect(t.transport.link.closed).toBe(true);
  expect(t.clock.pending).toBe(0);
});

test("after the drain timeout handlers are stopped and their tasks given back", async () => {
  const t = await welcomed({ drainTimeout: "5s" });
  const given = assigned("work");
  await t.transport.link.give(given);
  const closing = t.worker.close();
  await pass(t, 4_999);
  expect(t.calls[0]!.context.signal.aborted).toBe(false);
  await pass(t, 1);
  expect(whyStopped(t.calls[0]!.context)).toBe("shutdown");
  t.calls[0]!.fail(new Error("stopped"));
  await settled();
  expect(t.transport.link.report(given)).toEqual({ kind: "released" });
  await t.transport.link.record(given);
  await closing;
});

test("a handler that ignores its signal does not hold up the process", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  const closing = t.worker.close({ timeout: "1s" });
  await pass(t, 1_000);
  expect(t.transport.link.outcomes).toEqual([]);
  await pass(t, 1_000);
  expect(t.transport.link.report(given)).toEqual({ kind: "released" });
  await pass(t, 1_000);
  await closing;
  t.calls[0]!.fail(new Error("very late"));
  await settled();
  expect(t.transport.link.outcomes).toHaveLength(1);
});

test("a handler that finishes on its way out has succeeded", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  const closing = t.worker.close({ timeout: "0s" });
  await settled();
  expect(whyStopped(t.calls[0]!.context)).toBe("shutdown");
  t.calls[0]!.end("saved");
  await settled();
  expect(t.transport.link.report(given)).toEqual({ kind: "succeeded", result: '"saved"' });
  await t.transport.link.record(given);
  await closing;
});

test("closing ends without a node, in the drain timeout and little more", async () => {
  const { transport, calls, clock, worker } = await welcomed({ drainTimeout: "10s" });
  await transport.link.give(assigned("work"));
  transport.down = true;
  await transport.link.break();
  calls[0]!.end("nobody will know");
  let closed = false;
  const closing = worker.close().then(() => {
    closed = true;
  });
  await clock.advance(9_999);
  expect(closed).toBe(false);
  await clock.advance(2_001);
  await closing;
  const links = transport.links.length;
  await clock.advance(60_000);
  expect(transport.links).toHaveLength(links);
  expect(clock.pending).toBe(0);
});

test("closing with nothing to do ends at once, whether or not a node was ever there", async () => {
  for (const prepare of [() => start(), () => welcomed()]) {
    const { worker, clock } = await prepare();
    await worker.close();
    worker.start();
    await worker.run();
    await expect(worker.connected()).rejects.toMatchObject({ code: "unavailable" });
    expect(clock.pending).toBe(0);
  }
  const waiting = start();
  waiting.worker.start();
  const connected = waiting.worker.connected();
  await waiting.worker.close();
  await expect(connected).rejects.toMatchObject({ code: "unavailable" });
});

test("a node that welcomes a worker which is closing gives it nothing", async () => {
  const t = start();
  t.worker.start();
  await settled();
  const given = assigned("work");
  await t.transport.link.welcome();
  await t.transport.link.give(given);
  await t.transport.link.break();
  const closing = t.worker.close();
  await t.clock.advance(100);
  expect(t.transport.link.hello.slots).toBe(0);
  await t.transport.link.welcome();
  t.calls[0]!.end();
  await settled();
  await t.transport.link.record(given);
  await closing;
});

test("SIGTERM drains, and does not while the signals are the application's own", async () => {
  const own = start({ signals: false });
  const listeners = process.listenerCount("SIGTERM");
  const interrupts = process.listenerCount("SIGINT");
  const running = own.worker.run();
  expect(process.listenerCount("SIGTERM")).toBe(listeners);
  await own.worker.close();
  await running;

  const { worker, transport } = start();
  const ended = worker.run();
  expect(process.listenerCount("SIGTERM")).toBe(listeners + 1);
  await settled();
  await transport.link.welcome();
  process.emit("SIGTERM");
  // A second signal finds nobody who would hold it up.
  expect(process.listenerCount("SIGTERM")).toBe(listeners);
  expect(process.listenerCount("SIGINT")).toBe(interrupts);
  await ended;
  expect(transport.link.sent.at(-1)).toEqual({ kind: "leaving" });
});

test("what cannot work is refused when the worker is made", () => {
  const { definition } = byHand();
  const other = byHand().definition;
  const wrong: [Partial<WorkerOptions>, RegExp][] = [
    [{ concurrency: 0 }, /concurrency/],
    [{ concurrency: 1.5 }, /concurrency/],
    [{ concurrency: Number.NaN }, /concurrency/],
    [{ name: "no spaces please" }, /name/],
    [{ queues: ["a b"] }, /name/],
    [{ drainTimeout: "soon" }, /duration/],
    [{ tasks: [definition, other] }, /two definitions/],
    [{ tasks: [task("t", { timeout: "5", run: () => null })] }, /duration/],
    [{ tasks: [task("t", { retry: { backoff: { initial: "1" } }, run: () => null })] }, /duration/],
  ];
  for (const [options, message] of wrong) expect(() => start(options), JSON.stringify(options)).toThrow(message);
  expect(() => start({ tasks: [definition, definition] })).not.toThrow();
  expect(() => task("no spaces", { run: () => null })).toThrow(/name/);
});

// ----------------------------------------------------------------------------------------------------------- progress

/** What was sent about a task, in order. */
const progressOf = (link: ScriptedLink, { id }: { id: bigint }) =>
  link
    .all("progress")
    .flatMap(({ reports }) => reports)
    .filter((report) => report.id === id)
    .map(({ fraction, message }) => [fraction, message]);

test("progress is sent about once a second, the latest of each task, together", async () => {
  const t = await welcomed();
  const [one, two] = [assigned("work"), assigned("work")];
  await t.transport.link.give(one, two);
  const [first, second] = t.calls.map(({ context }) => context.progress);
  first!(0.1);
  second!(0.5, "half");
  await t.clock.advance(100);
  for (let step = 2; step <= 9; step++) {
    first!(step / 10, `step ${step}`);
    await t.clock.advance(100);
  }
  expect(progressOf(t.transport.link, one)).toEqual([[0.1, null]]);
  await t.clock.advance(200);
  expect(progressOf(t.transport.link, one)).toEqual([
    [0.1, null],
    [0.9, "step 9"],
  ]);
  expect(progressOf(t.transport.link, two)).toEqual([[0.5, "half"]]);
  expect(t.transport.link.all("progress")).toHaveLength(2);
});

test("the last progress goes before the outcome, and nothing after it", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  const { progress } = t.calls[0]!.context;
  progress(0.1);
  await t.clock.advance(100);
  progress(1, "done");
  t.calls[0]!.end();
  await t.clock.advance(1);
  const kinds = t.transport.link.sent.map(({ kind }) => kind).filter((kind) => kind !== "ping");
  expect(kinds).toEqual(["hello", "progress", "progress", "outcomes"]);
  expect(progressOf(t.transport.link, given)).toEqual([
    [0.1, null],
    [1, "done"],
  ]);
  const { link } = t.transport;
  progress(0.2);
  await t.clock.advance(2_000);
  expect(link.all("progress")).toHaveLength(2);
});

test("progress stays between 0 and 1, in a kibibyte of words; what is no number is the handler's mistake", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  const { progress } = t.calls[0]!.context;
  progress(1.5, "x".repeat(2_000));
  await t.clock.advance(100);
  const [[fraction, message]] = progressOf(t.transport.link, given) as [[number, string]];
  expect([fraction, Buffer.byteLength(message) <= 1_024]).toEqual([1, true]);
  expect(() => progress(Number.NaN)).toThrow(TypeError);
  progress(-1);
  await t.clock.advance(1_100);
  expect(progressOf(t.transport.link, given).at(-1)).toEqual([0, null]);
});

test("without a node the latest progress waits for one", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  const broken = t.transport.link;
  await broken.break();
  t.calls[0]!.context.progress(0.3);
  await t.clock.advance(2_000);
  expect(progressOf(broken, given)).toEqual([]);
  await t.transport.link.welcome([], t.clock.now());
  await t.clock.advance(1_100);
  expect(progressOf(t.transport.link, given)).toEqual([[0.3, null]]);
});

// ------------------------------------------------------------------------------------------------------------ standstill

test("running tasks are told that the event loop stood still, and for how long", async () => {
  const t = await welcomed();
  const given = assigned("work");
  await t.transport.link.give(given);
  await t.clock.advance(200);
  await t.clock.stall(4_500);
  await t.clock.advance(300);
  const lines = t.transport.links.flatMap((link) => link.all("logs")).flatMap((logs) => logs.lines);
  expect(lines).toMatchObject([{ id: given.id, level: "warn", attempt: 1 }]);
  expect(lines[0]!.message).toMatch(/^The worker's event loop stood still for 4\.2 s/);
});

test("a timer that is a little late is no standstill", async () => {
  const t = await welcomed();
  await t.transport.link.give(assigned("work"));
  await t.clock.stall(1_400);
  await t.clock.advance(300);
  expect(t.transport.links.flatMap((link) => link.all("logs"))).toEqual([]);
});
