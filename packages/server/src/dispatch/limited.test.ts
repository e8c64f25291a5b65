import type { AssignedTask } from "@carillon/client";
import type { QueueSettings } from "@carillon/store";
import { expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";

/** A node with a worker of ten slots, 3 ms from the store; its queue `default` is limited from the beginning. */
async function world(settings: QueueSettings) {
  const t = await setup({ callMs: 3 });
  const put = (settings: QueueSettings, name = "default") =>
    t.store.putQueue({ namespace: "default", name, settings, now: t.clock.now() });
  await put(settings);
  await t.knowLane();
  const first = t.worker({ slots: 10 });
  await t.clock.advance(100);
  return { ...t, put, first };
}

test("a task of a limited queue starts within the store's round trip of its instant, and is not claimed ahead", async () => {
  const t = await world({ concurrency: 3 });
  const dueAt = t.clock.now() + 2_000;
  const [id] = await t.insert([t.task({ dueAt })]);
  await t.clock.advance(1_999);
  expect((await t.state(id!)).state).toBe("pending");
  await t.clock.advance(10);
  expect(t.first.received).toHaveLength(1);
  expect(t.first.received[0]!.at - dueAt).toBeLessThanOrEqual(8);
});

test("a type with slots of its own leaves the others theirs, and what waits for it asks nobody again and again", async () => {
  const t = await world({ concurrencyPerType: { slow: 1 } });
  await t.knowLane({ type: "slow" });
  const both = t.worker({ name: "w-2", types: ["t", "slow"], slots: 10 });
  let running = 0;
  let most = 0;
  both.onTask = (task) => {
    if (task.type !== "slow") return both.end(task);
    most = Math.max(most, ++running);
    t.clock.after(500, () => {
      running--;
      both.end(task);
    });
  };
  t.first.onTask = (task) => t.first.end(task);
  let claims = 0;
  const { claimLimited } = t.faulty;
  t.faulty.claimLimited = (request) => {
    claims++;
    return claimLimited(request);
  };
  const slow = await t.insert(Array.from({ length: 5 }, () => t.task({ type: "slow" })));
  const quick = await t.insert(Array.from({ length: 20 }, () => t.task()));
  await t.clock.advance(400);
  expect(new Set((await Promise.all(quick.map(t.state))).map(({ state }) => state))).toEqual(new Set(["succeeded"]));
  expect(claims).toBeLessThan(40);
  await t.clock.advance(5 * 520);
  expect(new Set((await Promise.all(slow.map(t.state))).map(({ state }) => state))).toEqual(new Set(["succeeded"]));
  expect(most).toBe(1);
});

test("a slot that a task leaves is taken within a few milliseconds", async () => {
  const t = await world({ concurrency: 2 });
  await t.insert(Array.from({ length: 20 }, () => t.task()));
  const running = new Set<AssignedTask>();
  let most = 0;
  t.first.onTask = (task) => {
    running.add(task);
    most = Math.max(most, running.size);
    t.clock.after(50, () => {
      running.delete(task);
      t.first.end(task);
    });
  };
  await t.clock.advance(10 * (50 + 20));
  expect(t.first.received).toHaveLength(20);
  expect(most).toBe(2);
});

test("a key is handed on to the next task that waits for it, also across nodes and without hints", async () => {
  const t = await world({ concurrencyPerKey: 1 });
  const other = await t.startNode("node-2");
  const there = t.worker({ engine: other.engine, name: "w-2", slots: 10 });
  await t.clock.advance(1_100);
  const keys = new Map<bigint, string>();
  const running = new Set<string>();
  const order: bigint[] = [];
  for (const worker of [t.first, there]) {
    worker.onTask = (task) => {
      const key = keys.get(task.id)!;
      expect(running.has(key)).toBe(false);
      running.add(key);
      order.push(task.id);
      t.clock.after(20, () => {
        running.delete(key);
        worker.end(task);
      });
    };
  }
  const insert = (count: number, keyOf: (index: number) => string) => {
    const tasks = Array.from({ length: count }, (_, index) => ({ ...t.task(), concurrencyKey: keyOf(index) }));
    for (const { id, concurrencyKey } of tasks) keys.set(id, concurrencyKey);
    return t.insert(tasks);
  };
  await insert(30, (index) => `k-${index % 3}`);
  await t.clock.advance(10 * (20 + 20));
  expect(order).toHaveLength(30);
  // The same without a word between the nodes: whatever is missed is found within a second.
  for (const { faults } of [t, other]) faults.loseHint = 1;
  await insert(10, () => "k");
  await t.clock.advance(10 * 1_100);
  expect(order).toHaveLength(40);
});

test("starts keep to the rate, each as soon as its token comes", async () => {
  const t = await world({ rateLimit: { limit: 10, perMs: 1_000, burst: 3 } });
  t.first.onTask = (task) => t.first.end(task);
  const begin = t.clock.now();
  await t.insert(Array.from({ length: 13 }, () => t.task()));
  await t.clock.advance(1_050);
  const startedAfter = t.first.received.map(({ at }) => at - begin);
  expect(startedAfter).toHaveLength(13);
  for (const [index, at] of startedAfter.entries()) {
    const tokenAfter = Math.max(0, (index - 2) * 100);
    expect(at).toBeGreaterThanOrEqual(tokenAfter);
    expect(at - tokenAfter).toBeLessThanOrEqual(20);
  }
});

test("a key without a token waits for its own, while others start", async () => {
  const t = await world({ rateLimitPerKey: { limit: 1, perMs: 500, burst: 1 } });
  const begin = t.clock.now();
  const started: [string, number][] = [];
  const keys = new Map<bigint, string>();
  t.first.onTask = (task) => {
    started.push([keys.get(task.id)!, t.clock.now() - begin]);
    t.first.end(task);
  };
  const tasks = ["a", "a", "a", "b"].map((concurrencyKey) => ({ ...t.task(), concurrencyKey }));
  for (const { id, concurrencyKey } of tasks) keys.set(id, concurrencyKey);
  await t.insert(tasks);
  await t.clock.advance(1_100);
  const after = (key: string) => started.filter(([of]) => of === key).map(([, at]) => Math.floor(at / 100) * 100);
  expect(after("a")).toEqual([0, 500, 1_000]);
  expect(after("b")).toEqual([0]);
});

test("a queue that is paused starts nothing, gives back what has not started, and goes on when it is resumed", async () => {
  const t = await world({ concurrency: 5 });
  const pause = async (paused: boolean) => {
    await t.store.setQueuePaused("default", "free", { paused, reason: null, now: t.clock.now() });
    t.engine.dispatcher.queuesChanged();
  };
  await t.knowLane({ queue: "free" });
  const worker = t.worker({ slots: 10, name: "w-2", queues: ["free"] });
  const dueAt = t.clock.now() + 500;
  const [id] = await t.insert([t.task({ queue: "free", dueAt })]);
  await t.clock.advance(400);
  expect((await t.state(id!)).state).toBe("claimed");
  await pause(true);
  await t.clock.advance(3_000);
  expect(worker.received).toEqual([]);
  expect((await t.state(id!)).state).toBe("pending");
  await pause(false);
  const resumedAt = t.clock.now();
  await t.clock.advance(200);
  expect(worker.received).toHaveLength(1);
  expect(worker.received[0]!.at - resumedAt).toBeLessThanOrEqual(100);
});

test("limits that come and go hold from then on, and everything runs", async () => {
  const t = await world({});
  let running = 0;
  const most: number[] = [];
  t.first.onTask = (task) => {
    most.push(++running);
    t.clock.after(30, () => {
      running--;
      t.first.end(task);
    });
  };
  await t.insert(Array.from({ length: 60 }, () => ({ ...t.task(), concurrencyKey: "a" })));
  await t.clock.advance(20);
  expect(running).toBe(10);
  await t.put({ concurrencyPerKey: 2 });
  t.engine.dispatcher.queuesChanged();
  await t.clock.advance(300);
  const before = most.length;
  await t.clock.advance(300);
  expect(Math.max(...most.slice(before))).toBe(2);
  await t.put({});
  t.engine.dispatcher.queuesChanged();
  await t.clock.advance(2_500);
  expect(most).toHaveLength(60);
  expect(Math.max(...most.slice(before))).toBe(10);
  expect(await t.store.allQueues()).toMatchObject([{ mode: "free" }]);
});

test("an unlimited queue that always has work leaves a share of the slots to a limited one", async () => {
  const t = await world({ concurrency: 50 });
  await t.knowLane({ queue: "free" });
  const worker = t.worker({ slots: 4, name: "w-2", queues: ["default", "free"] });
  t.first.send({ kind: "capacity", slots: 0 });
  const begun: string[] = [];
  worker.onTask = (task) => {
    begun.push(task.queue);
    t.clock.after(5, () => worker.end(task));
  };
  await t.insert(Array.from({ length: 2_000 }, () => t.task({ queue: "free" })));
  await t.clock.advance(200);
  await t.insert(Array.from({ length: 200 }, () => t.task()));
  const before = begun.length;
  await t.clock.advance(500);
  const limited = begun.slice(before).filter((queue) => queue === "default").length;
  expect(limited).toBeGreaterThan((begun.length - before) / 5);
  expect(limited).toBeLessThan(((begun.length - before) * 4) / 5);
});
