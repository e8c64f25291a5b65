/** What a team relies on when parts die or misbehave, shown on real processes. */
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Carillon } from "@carillon/client";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { percentiles } from "./check.ts";
import { type Flood, flood, memoryOf } from "./overload.ts";
import { Cluster } from "./scenario.ts";

const full = process.env.CARILLON_TEST_CLUSTER === "full";
const unserved = full ? 100_000 : 20_000;
const floodMs = full ? 300_000 : 5_000;

let cluster: Cluster;
let client: Carillon;

beforeAll(async () => {
  cluster = await Cluster.start({ nodes: 2, workers: 1, tasks: 0, schedules: 0, seconds: 0, seed: 1 });
  client = new Carillon({ url: cluster.nodes.map(({ url }) => url) });
}, 60_000);

afterAll(() => cluster.stop());

test("a node's death does not interrupt the tasks of a healthy remote worker", { timeout: 60_000 }, async () => {
  const handles = await Promise.all(Array.from({ length: 10 }, () => client.tasks.create("hold", { ms: 7_000 })));
  await untilStarted(handles.map(({ id }) => id));
  // Whichever node the worker is connected to is among them; the other comes back before it is killed in turn.
  await cluster.restartNode(0);
  await pause(1_000);
  await cluster.restartNode(1);
  for (const handle of handles) expect(await handle.result({ timeout: "30s" })).toEqual({ ms: 7_000 });
  const ids = new Set(handles.map(({ id }) => id));
  const lines = (await cluster.journal()).filter(({ taskId }) => ids.has(taskId));
  expect(lines.filter(({ event }) => event === "aborted")).toEqual([]);
  expect(lines.filter(({ event }) => event === "start")).toHaveLength(10);
});

test("a schedule's tasks do not overlap on two nodes, also while one is killed", { timeout: 90_000 }, async () => {
  const startAt = Math.ceil(Date.now() / 1_000) * 1_000 + 3_000;
  const range = { startAt: new Date(startAt), endAt: new Date(startAt + 8_000) };
  const put = (name: string, overlap: "queue-all" | "skip", ms: number) =>
    client.schedules.put(name, { every: "1s", ...range, overlap, task: { type: "hold", payload: { ms } } });
  await Promise.all([put("queue", "queue-all", 700), put("skip", "skip", 1_500)]);
  const starts = async () => (await cluster.journal()).filter(({ event, schedule }) => event === "start" && schedule);
  while ((await starts()).length < 4) await pause(100);
  await cluster.restartNode(0);
  const fires = async (name: string) =>
    (await client.schedules.fires(name, { from: range.startAt, to: range.endAt })).items.map(
      ({ outcome, reason, task }) => (outcome === "task" ? task?.state : (reason ?? outcome)),
    );
  const isOver = async (name: string) =>
    (await fires(name)).every((state) => state === "succeeded" || state === "overlap:skip");
  while (!(await isOver("queue")) || !(await isOver("skip"))) await pause(200);
  expect(await fires("queue")).toEqual(Array(8).fill("succeeded"));
  const skipped = (await fires("skip")).filter((state) => state === "overlap:skip").length;
  expect(skipped).toBeGreaterThan(0);
  for (const name of ["queue", "skip"]) {
    const lines = (await cluster.journal()).filter(({ schedule }) => schedule === name).sort((a, b) => a.at - b.at);
    const steps = lines.map(({ event, fireAt }) => `${event} ${fireAt}`);
    const inTurn = lines
      .filter(({ event }) => event === "start")
      .flatMap(({ fireAt }) => [`start ${fireAt}`, `end ${fireAt}`]);
    expect(steps).toEqual(inTurn);
  }
});

test("a task made with nothing but its type has the queue and the retries that its worker declared", async () => {
  const answer = await fetch(`${cluster.nodes[0]!.url}/api/v1/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type: "declared" }),
  });
  expect(answer.status).toBe(202);
  const created = (await answer.json()) as { id: string };
  const task = await client.tasks.wait(created.id, { timeout: "10s" });
  expect(task).toMatchObject({ state: "succeeded", queue: "elsewhere", retry: { maxAttempts: 7 }, timeout: "1m30s" });
});

test("a long line of tasks that nobody serves delays nobody else in its queue", { timeout: 90_000 }, async () => {
  for (let sent = 0; sent < unserved; sent += 10_000) {
    await client.tasks.createMany(
      "nobody-serves-this",
      Array.from({ length: 10_000 }, () => ({ priority: 1 })),
    );
  }
  const dueAt = new Date(Date.now() + 2_000);
  const tasks = await client.tasks.createMany(
    "tick",
    Array.from({ length: 100 }, () => ({ dueAt, priority: 9 })),
  );
  const late = await Promise.all(
    tasks.map(async ({ id }) => (await client.tasks.wait(id, { timeout: "20s" })).latenessMs ?? Number.NaN),
  );
  console.log(
    `behind ${unserved} tasks of a type that nobody serves, lateness (ms): ${JSON.stringify(percentiles(late))}`,
  );
  const waiting = await client.tasks.list({ type: "nobody-serves-this", state: "queued", pageSize: 1 });
  expect(waiting.items).toHaveLength(1);
});

test("a producer at many times the drain rate is told to wait; what was let in runs, fires do, and memory is flat", {
  timeout: floodMs + 90_000,
}, async () => {
  const [queue, maxBacklog, slots, ms] = ["elsewhere", 300, 50, 500];
  await client.queues.put(queue, { maxBacklog });
  const startAt = new Date(Date.now() + 1_000);
  const beside = { type: "hold", queue, payload: { ms: 1 } };
  await client.schedules.put("beside", { every: "2s", startAt, task: beside });
  const depths: number[] = [];
  const memory: number[] = [];
  const watching = new AbortController();
  const watch = async () => {
    while (!watching.signal.aborted) {
      depths.push((await client.queues.stats(queue)).depth);
      const sizes = await Promise.all(cluster.nodes.map((node) => memoryOf(node.process.pid!)));
      memory.push(Math.max(...sizes.map((size) => size ?? 0)));
      await pause(250);
    }
  };
  const watched = watch();
  const urls = cluster.nodes.map(({ url }) => url);
  // Without figures it is a quarter of a minute; then what the pace of the queue says.
  const enough = ({ refused }: Flood) => refused.length >= 100 && refused.some(({ retryAfter }) => retryAfter < 10);
  const task = { type: "hold", queue, payload: { ms } };
  const { accepted, refused } = await flood(urls, task, { forMs: floodMs, enough });
  watching.abort();
  await watched;
  const { outcomes } = await client.schedules.stats("beside", { window: "1h" });
  await client.schedules.delete("beside");
  while ((await client.queues.stats(queue)).depth > 0) await pause(100);
  const ended = new Set((await cluster.journal()).flatMap(({ event, taskId }) => (event === "end" ? [taskId] : [])));

  const waits = [...new Set(refused.map(({ retryAfter }) => retryAfter))].sort((a, b) => a - b);
  const figures = { accepted: accepted.length, refused: refused.length, waits, deepest: Math.max(...depths) };
  const half = memory.slice(memory.length / 2);
  const grownBy = Math.round(Math.max(...half) - Math.max(...memory.slice(0, memory.length / 2)));
  console.log(`a flood of ${floodMs} ms at ${slots / (ms / 1_000)}/s: ${JSON.stringify({ ...figures, grownBy })}`);
  expect(accepted.filter((id) => !ended.has(id))).toEqual([]);
  expect(enough({ accepted, refused })).toBe(true);
  expect(new Set(refused.map(({ status, code }) => `${status} ${code}`))).toEqual(new Set(["429 backlog_full"]));
  expect(waits.every((seconds) => Number.isInteger(seconds) && seconds >= 1 && seconds <= 60)).toBe(true);
  // Each of the two nodes lets in what there was room for.
  expect(figures.deepest).toBeLessThanOrEqual(2 * maxBacklog);
  expect(outcomes).toMatchObject({ skipped: 0, missed: 0, withdrawn: 0 });
  expect(outcomes.task).toBeGreaterThanOrEqual(floodMs / 2_000 - 2);
  expect(grownBy).toBeLessThan(64);
  await client.queues.put(queue, {});
});

test("an open transaction of an application that holds a unique key delays only callers of that key", {
  timeout: 30_000,
}, async () => {
  const application = new pg.Client({ connectionString: cluster.database.connectionString });
  await application.connect();
  try {
    const held = await client.tasks.create("tick", {}, { delay: "1h", uniqueKey: "held" });
    await application.query("begin");
    await application.query("delete from carillon.task where unique_key = 'held'");
    const blocked = fetch(`${cluster.nodes[0]!.url}/api/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ type: "tick", delay: "1h", uniqueKey: "held" }),
    });
    // Meanwhile everybody else is answered, with other keys and without, on the same node.
    const others = new Carillon({ url: cluster.nodes[0]!.url });
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: 50 }, (_, n) => others.tasks.create("tick", { n }, n % 2 ? { uniqueKey: `free-${n}` } : {})),
    );
    const othersMs = performance.now() - startedAt;
    const answer = await blocked;
    console.log(
      `50 others were answered within ${Math.round(othersMs)} ms; the caller of the held key got ${answer.status}`,
    );
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).not.toBeNull();
    await application.query("rollback");
    const found = await client.tasks.create("tick", {}, { delay: "1h", uniqueKey: "held" });
    expect(found).toMatchObject({ id: held.id, created: false });
  } finally {
    await application.end();
  }
});

test("a worker that is told to stop finishes what it runs and takes nothing new", { timeout: 30_000 }, async () => {
  const handle = await client.tasks.create("hold", { ms: 2_000 });
  await untilStarted([handle.id]);
  const worker = cluster.workers[0]!;
  const exited = once(worker.process, "exit");
  worker.process.kill("SIGTERM");
  expect(await handle.result({ timeout: "10s" })).toEqual({ ms: 2_000 });
  expect(await exited).toEqual([0, null]);
  expect((await handle.get()).attempt).toBe(1);
});

/** Until the workers' journals say that these tasks run. */
async function untilStarted(ids: string[]): Promise<void> {
  for (;;) {
    const started = new Set((await cluster.journal()).map(({ taskId }) => taskId));
    if (ids.every((id) => started.has(id))) return;
    await pause(100);
  }
}
