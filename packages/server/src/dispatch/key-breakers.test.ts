import type { Id } from "@carillon/core";
import type { QueueBreaker } from "@carillon/store";
import { expect, test } from "vitest";
import { failed, setup } from "../../test/dispatch-world.ts";

/** A node with a worker of ten slots, 2 ms from the store; its queue `default` has a breaker. `sick` says which keys fail. */
async function world(breaker: Partial<QueueBreaker> = {}) {
  const t = await setup({ callMs: 2 });
  const put = (settings: { breaker?: QueueBreaker }) =>
    t.store.putQueue({ namespace: "default", name: "default", settings, now: t.clock.now() });
  await put({ breaker: { failures: 3, openMs: 5_000, adaptive: false, ...breaker } });
  await t.knowLane();
  const worker = t.worker({ slots: 10 });
  const keys = new Map<Id, string | null>();
  const sick = new Set<string | null>();
  let report = failed();
  worker.onTask = (task) =>
    t.clock.after(10, () => worker.end(task, sick.has(keys.get(task.id)!) ? report : undefined, 10));
  return {
    ...t,
    put,
    sick,
    worker,
    failAs(other: typeof report) {
      report = other;
    },
    async create(key: string | null, count = 1) {
      const tasks = Array.from({ length: count }, () => ({ ...t.task(), concurrencyKey: key }));
      for (const { id } of tasks) keys.set(id, key);
      return t.insert(tasks);
    },
    startsOf: (key: string | null) => worker.received.filter(({ task }) => keys.get(task.id) === key).length,
    statesOf: async (ids: Id[]) => (await Promise.all(ids.map(t.state))).map(({ state }) => state),
  };
}

test("tasks of a key that fails wait without losing attempts, and those of other keys go on", async () => {
  const t = await world();
  t.sick.add("acme");
  const ids = await t.create("acme", 40);
  await t.clock.advance(1_000);
  const tried = t.startsOf("acme");
  expect(tried).toBeGreaterThanOrEqual(3);
  // As many as were on their way when it opened.
  expect(tried).toBeLessThanOrEqual(20);
  const records = await Promise.all(ids.map(t.state));
  expect(
    records.filter(({ state, reason }) => state === "waiting" && reason === "breaker_open").length,
  ).toBeGreaterThan(15);
  expect(records.reduce((sum, { attempt }) => sum + attempt, 0)).toBe(tried);
  const others = [...(await t.create("globex", 5)), ...(await t.create(null, 5))];
  await t.clock.advance(200);
  expect(await t.statesOf(others)).toEqual(Array(10).fill("succeeded"));
  expect(await t.store.watchedTargets()).toMatchObject([{ name: "default/acme", state: "open", waiting: true }]);
});

test("one task at a time tries a key that was left alone, and when it succeeds all of them go on", async () => {
  const t = await world();
  t.sick.add("acme");
  const ids = await t.create("acme", 1_200);
  await t.clock.advance(4_000);
  const before = t.startsOf("acme");
  await t.clock.advance(40_000);
  // After about 5, 10 and 20 seconds more.
  expect(t.startsOf("acme") - before).toBe(3);
  t.sick.clear();
  await t.clock.advance(120_000);
  expect(new Set(await t.statesOf(ids))).toEqual(new Set(["succeeded"]));
});

test("tasks without a key have a breaker together", async () => {
  const t = await world();
  t.sick.add(null);
  await t.create(null, 30);
  await t.clock.advance(1_000);
  expect(await t.store.watchedTargets()).toMatchObject([{ name: "default/", state: "open", waiting: true }]);
});

test("an error that no retry helps against says nothing bad about its key", async () => {
  const t = await world();
  t.sick.add("acme");
  t.failAs(failed(false));
  const ids = await t.create("acme", 20);
  await t.clock.advance(1_000);
  expect(await t.statesOf(ids)).toEqual(Array(20).fill("failed"));
  expect(await t.store.watchedTargets()).toEqual([]);
});

test("what waits goes on once the queue has no breaker any more", async () => {
  const t = await world();
  t.sick.add("acme");
  await t.create("acme", 20);
  await t.clock.advance(1_000);
  const before = t.startsOf("acme");
  t.sick.clear();
  await t.put({});
  t.engine.dispatcher.queuesChanged();
  await t.clock.advance(3_000);
  expect(t.startsOf("acme") - before).toBeGreaterThan(0);
  expect(await t.store.watchedTargets()).toEqual([]);
});

test("how many tasks of a key run at once follows how well they end only where the breaker says so", async () => {
  for (const [adaptive, most] of [
    [false, 10],
    [true, 2],
  ] as const) {
    const t = await world({ adaptive, failures: 20 });
    let running = 0;
    let seen = 0;
    t.worker.onTask = (task) => {
      seen = Math.max(seen, ++running);
      t.clock.after(1_000, () => {
        running--;
        t.worker.end(task, undefined, 1_000);
      });
    };
    await t.create("acme", 30);
    await t.clock.advance(900);
    expect(seen).toBe(most);
  }
});
