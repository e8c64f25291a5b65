import { RetryAfter, task } from "@carillon/client";
import { expect, test } from "vitest";
import { createTestEnvironment } from "./test-environment.ts";

test("a schedule's tasks run as time is advanced", async () => {
  const runs: string[] = [];
  const report = task("report", {
    run: async (_payload, { fireAt }) => {
      runs.push(fireAt!.toISOString());
    },
  });
  await using env = await createTestEnvironment({ tasks: [report] });
  await env.client.schedules.put("hourly", { cron: "0 * * * *", task: report });
  await env.advance("3h");
  expect(runs).toEqual(["2026-01-01T01:00:00.000Z", "2026-01-01T02:00:00.000Z", "2026-01-01T03:00:00.000Z"]);
  expect(await env.tasks({ schedule: "hourly", state: "succeeded" })).toHaveLength(3);
});

test("a task runs at its instant, with its result", async () => {
  const starts: Date[] = [];
  const double = task("double", {
    run: async (payload: { n: number }) => {
      starts.push(env.now);
      return payload.n * 2;
    },
  });
  await using env = await createTestEnvironment({ tasks: [double], now: new Date("2027-05-01T10:00:00Z") });
  const before = env.now.getTime();
  const handle = await env.client.tasks.create(double, { n: 21 }, { delay: "2h" });
  await env.advance("1h59m");
  expect(await env.tasks({ state: "scheduled" })).toHaveLength(1);
  await env.advance("1m");
  expect(await handle.result()).toBe(42);
  expect(starts[0]!.getTime() - before).toBe(7_200_000);
});

test("a task that does not end in time is told so, and has failed", async () => {
  const reasons: string[] = [];
  const endless = task("endless", {
    run: (_payload, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reasons.push((signal.reason as Error).message);
          reject(signal.reason);
        });
      }),
  });
  await using env = await createTestEnvironment({ tasks: [endless] });
  const running = await env.client.tasks.create(endless, null, { finishWithin: "10m" });
  const waiting = await env.client.tasks.create("nobody-runs-this", null, { finishWithin: "10m", priority: 9 });
  await env.advance("8m");
  expect(await running.get()).toMatchObject({ state: "running" });
  expect(await waiting.get()).toMatchObject({ state: "queued", priority: 3 });
  await env.advance("3m");
  expect(reasons).toEqual(["finish_within"]);
  for (const handle of [running, waiting])
    expect(await handle.get()).toMatchObject({ state: "failed", error: { code: "finish_within" } });
});

test("how far a task has come can be read while it runs", async () => {
  let finish = () => {};
  const copy = task("copy", {
    run: async (_payload, { progress }) => {
      progress(0.4, "2 of 5 files");
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      progress(1);
    },
  });
  await using env = await createTestEnvironment({ tasks: [copy] });
  const handle = await env.client.tasks.create(copy);
  await env.advance("5s");
  expect(await handle.get()).toMatchObject({ state: "running", progress: { fraction: 0.4, message: "2 of 5 files" } });
  finish();
  await env.advance("5s");
  expect(await handle.get()).toMatchObject({ state: "succeeded", progress: { fraction: 1, message: null } });
});

test("a failing task is retried when it said, and its attempts can be read", async () => {
  let calls = 0;
  const flaky = task("flaky", {
    run: async () => {
      if (++calls < 3) throw new RetryAfter("10m");
      return "done";
    },
  });
  await using env = await createTestEnvironment({ tasks: [flaky] });
  const handle = await env.client.tasks.create(flaky);
  await env.advance("10m");
  expect((await handle.get()).state).toBe("retrying");
  await env.advance("11m");
  expect(await handle.get()).toMatchObject({ state: "succeeded", result: "done", attempt: 3 });
});

test("a task that requires labels runs where they are, and a broadcast once on every worker", async () => {
  const report = task("report", { run: () => "done" });
  await using env = await createTestEnvironment({ tasks: [report], labels: { region: "eu" } });
  const here = await env.client.tasks.create(report, null, { requires: { region: "eu" } });
  const elsewhere = await env.client.tasks.create(report, null, { requires: { region: "us" } });
  const { tag, tasks } = await env.client.tasks.broadcast(report);
  await env.advance("2m");
  expect(await here.result()).toBe("done");
  expect(await elsewhere.get()).toMatchObject({ state: "queued", requires: { region: "us" } });
  expect((await env.client.tasks.explain(elsewhere.id)).summary).toContain("has the label region=us");
  expect(tasks).toEqual([{ id: expect.any(String), worker: "test-worker" }]);
  expect(await env.tasks({ tag })).toMatchObject([{ id: tasks[0]!.id, state: "succeeded", worker: "test-worker" }]);
  expect((await env.client.workers.list()).items).toMatchObject([{ name: "test-worker", labels: { region: "eu" } }]);
});

test("tasks of one type are handed to one call, and their logs can be searched", async () => {
  const calls: number[] = [];
  const load = task("load", {
    batch: { size: 3, wait: "1s" },
    retry: { maxAttempts: 1 },
    runMany: (rows: number[], contexts) => {
      calls.push(rows.length);
      for (const [index, { log }] of contexts.entries()) log.info(`row ${rows[index]}`);
      return rows.map((row) => (row === 2 ? new Error("twice") : row * 10));
    },
  });
  await using env = await createTestEnvironment({ tasks: [load] });
  const made = await env.client.tasks.createMany(
    load,
    [1, 2, 3, 4].map((payload) => ({ payload })),
  );
  await env.advance("5s");
  expect(calls).toEqual([3, 1]);
  const ended = await Promise.all(made.map(({ id }) => env.client.tasks.get(id)));
  expect(ended.map(({ state, result }) => [state, result])).toEqual([
    ["succeeded", 10],
    ["failed", null],
    ["succeeded", 30],
    ["succeeded", 40],
  ]);
  const { items } = await env.client.tasks.searchLogs({ q: "ROW 3", type: "load" });
  expect(items).toMatchObject([{ message: "row 3", task: { id: made[2]!.id } }]);
});

test("a handler can create further tasks", async () => {
  const child = task("child", { run: async (n: number) => n + 1 });
  const parent = task("parent", {
    run: async () => {
      const handle = await env.client.tasks.create(child, 1, { delay: "1h" });
      return handle.id;
    },
  });
  await using env = await createTestEnvironment({ tasks: [parent, child] });
  await env.client.tasks.create(parent);
  await env.advance("2h");
  expect(await env.tasks({ type: "child", state: "succeeded" })).toHaveLength(1);
});

test("a year passes in seconds, and everything of it happens at its instant", async () => {
  const instants: string[] = [];
  const monthly = task("monthly", {
    run: async () => {
      instants.push(env.now.toISOString());
    },
  });
  await using env = await createTestEnvironment({ tasks: [monthly] });
  await env.client.schedules.put("monthly", { cron: "30 9 1 * *", task: monthly });
  await env.client.tasks.create(monthly, undefined, { dueAt: "2026-07-04T00:00:00Z" });
  const begin = performance.now();
  await env.advance("52w");
  expect(performance.now() - begin).toBeLessThan(20_000);
  expect(instants).toHaveLength(13);
  expect(instants).toContain("2026-07-04T00:00:00.000Z");
  expect(instants).toContain("2026-12-01T09:30:00.000Z");
});

test("what is not a duration is refused", async () => {
  await using env = await createTestEnvironment({ tasks: [] });
  await expect(env.advance("soon")).rejects.toThrow("is not a duration");
});

test("a fixed delay counts from the end of the task before, also when that is tried again", async () => {
  const runs: string[] = [];
  const poll = task("poll", {
    run: async (_payload, { attempt }) => {
      runs.push(`${env.now.toISOString().slice(11, 19)} ${attempt}`);
      if (runs.length === 2) throw new RetryAfter("7m");
    },
  });
  await using env = await createTestEnvironment({ tasks: [poll] });
  const every = { interval: "10m", after: "end" } as const;
  await env.client.schedules.put("poll", { every, task: poll });
  await env.advance("55m");
  expect(runs).toEqual(["00:10:00 1", "00:20:00 1", "00:27:00 2", "00:37:00 1", "00:47:00 1"]);
  expect(await env.client.schedules.get("poll")).toMatchObject({
    every,
    nextFireAt: expect.stringMatching(/T00:57:00/),
  });
});

test("a schedule whose tasks keep failing is paused, and says why", async () => {
  let runs = 0;
  const broken = task("broken", {
    retry: { maxAttempts: 1 },
    run: async () => {
      runs++;
      throw new Error("no");
    },
  });
  await using env = await createTestEnvironment({ tasks: [broken] });
  await env.client.schedules.put("broken", { every: "10m", pauseAfterFailures: 3, task: broken });
  await env.advance("2h");
  expect(runs).toBe(3);
  const pause = { reason: "its last 3 tasks failed", at: expect.stringMatching(/T00:30:00/) };
  expect(await env.client.schedules.get("broken")).toMatchObject({ paused: true, pause });
  await env.client.schedules.resume("broken");
  await env.advance("25m");
  expect(runs).toBe(5);
});

test("all failed tasks are retried by one call, in virtual time too", async () => {
  let broken = true;
  const flaky = task("flaky", {
    retry: { maxAttempts: 1 },
    run: async () => {
      if (broken) throw new Error("no");
    },
  });
  await using env = await createTestEnvironment({ tasks: [flaky] });
  await env.client.tasks.createMany(flaky, [{}, {}, {}]);
  await env.advance("1m");
  expect(await env.tasks({ state: "failed" })).toHaveLength(3);
  broken = false;
  expect(await env.client.tasks.countForBulk({ state: "failed" }, "retry")).toEqual({ matched: 3, capped: false });
  const { id } = await env.client.tasks.bulk({ state: "failed" }, "retry");
  await env.advance("1m");
  expect(await env.client.operations.get(id)).toMatchObject({ state: "done", done: 3 });
  expect(await env.tasks({ state: "succeeded" })).toHaveLength(3);
});

test("what a queue allows holds in virtual time: a pause, a rate and a bound", async () => {
  const starts: string[] = [];
  const letter = task("letter", {
    queue: "letters",
    async run(to: string) {
      starts.push(`${(env.now.getTime() - begin) / 1_000} ${to}`);
    },
  });
  await using env = await createTestEnvironment({ tasks: [letter] });
  const begin = env.now.getTime();
  const { queues, tasks } = env.client;
  await queues.pause("letters");
  for (const to of ["ada", "bob"]) await tasks.create(letter, to);
  await env.advance("10s");
  expect(starts).toEqual([]);
  await queues.put("letters", { rateLimit: { limit: 1, per: "10m" }, paused: false });
  await env.advance("601s");
  expect(starts.map((start) => start.replace(/\.\d+/, ""))).toEqual(["10 ada", "610 bob"]);
  await queues.put("letters", { maxBacklog: 3 });
  for (const to of ["ada", "bob", "eve"]) await tasks.create(letter, to, { delay: "1d" });
  await expect(tasks.create(letter, "too many")).rejects.toMatchObject({ code: "backlog_full" });
});
