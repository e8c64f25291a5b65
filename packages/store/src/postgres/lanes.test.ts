import { defaultPolicy, fairPart } from "@carillon/core";
import { expect, test } from "vitest";
import { openPools } from "./db.ts";
import { depths } from "./depths.ts";
import { createCatalog } from "./lanes.ts";
import { NOON, setup } from "./test-store.ts";

test("nodes that meet new lanes and policies at the same moment give them the same numbers", async () => {
  await using t = await setup();
  const pools = await openPools({ connection: t.connectionString });
  const catalogs = Array.from({ length: 4 }, () => createCatalog(pools.reads));
  const tasks = Array.from({ length: 30 }, (_, index) =>
    t.newTask({ type: `type-${index % 10}`, policy: { ...defaultPolicy, timeoutMs: 1_000 + (index % 5) } }),
  );
  const orders = [tasks, tasks.toReversed(), tasks, tasks.toReversed()];
  const numbers = await Promise.all(catalogs.map((catalog, index) => catalog.numbersOf(orders[index]!)));
  const ids = numbers.map(({ lanes, policyIds }, index) => {
    const pairs = lanes.map((lane, at) => [lane.id, policyIds[at]]);
    return index % 2 ? pairs.reverse() : pairs;
  });
  for (const other of ids) expect(other).toEqual(ids[0]);
  expect(await t.sql("select from lane")).toHaveLength(10);
  expect(await t.sql("select from policy")).toHaveLength(5);
  await pools.close();
});

test("a lane is one object, and equal policies are one row however they are written down", async () => {
  await using t = await setup();
  const pools = await openPools({ connection: t.connectionString });
  const catalog = createCatalog(pools.reads);
  const { retry, timeoutMs } = defaultPolicy;
  const turned = { timeoutMs, retry: { backoff: retry.backoff, maxAttempts: retry.maxAttempts } };
  const { lanes, policyIds } = await catalog.numbersOf([t.newTask(), t.newTask({ policy: turned })]);
  expect(lanes[0]).toBe(lanes[1]);
  expect(policyIds[0]).toBe(policyIds[1]);
  expect(await catalog.lanes()).toEqual([lanes[0]]);
  expect((await catalog.lanes())[0]).toBe(lanes[0]);
  await pools.close();
});

test("a lane is also one part of fair keys, and what a node of the version before makes is for tasks without", async () => {
  await using t = await setup();
  await t.sql(
    "insert into lane (namespace, queue, type, requires) values ('default', 'default', 'send', '{}') on conflict do nothing",
  );
  const pools = await openPools({ connection: t.connectionString });
  const catalog = createCatalog(pools.reads);
  const keyed = { type: "send", fairKey: "ada" };
  const { lanes } = await catalog.numbersOf([t.newTask(keyed), t.newTask({ type: "send" }), t.newTask(keyed)]);
  expect(lanes.map(({ fair }) => fair)).toEqual([fairPart("ada"), undefined, fairPart("ada")]);
  expect(lanes[2]).toBe(lanes[0]);
  const other = createCatalog(pools.reads);
  await other.learn({ lanes: new Set([lanes[0]!.id]) });
  expect(other.lane(lanes[0]!.id)).toEqual(lanes[0]);
  expect(await t.sql("select fair from lane order by id")).toEqual([{ fair: 0 }, { fair: fairPart("ada") }]);
  await pools.close();
});

test("a batch has its policies and names, however many others it makes the node forget", async () => {
  await using t = await setup();
  const pools = await openPools({ connection: t.connectionString });
  const catalog = createCatalog(pools.reads, { policiesKept: 3, schedulesKept: 3 });
  const tasks = Array.from({ length: 20 }, (_, index) =>
    t.newTask({ policy: { ...defaultPolicy, timeoutMs: 1_000 + index } }),
  );
  const [numbers, again] = await Promise.all([catalog.numbersOf(tasks), catalog.numbersOf(tasks.toReversed())]);
  const policies = numbers.policyIds;
  expect(again.policyIds).toEqual(policies.toReversed());
  const schedules = tasks.map(({ id }) => id);
  for (const id of schedules) {
    await t.sql(
      `insert into schedule (id, namespace, name, definition, planned_until, created_at, updated_at)
       values ($1, 'default', $2, '{}', now(), now(), now())`,
      [id, `s-${id}`],
    );
  }
  const learnAll = async (from: number) => {
    const learned = await catalog.learn({
      policies: new Set(policies.slice(from)),
      schedules: new Set(schedules.slice(from)),
    });
    for (let index = from; index < tasks.length; index++) {
      expect(learned.policy(policies[index]!)).toEqual(tasks[index]!.policy);
      expect(learned.scheduleName(schedules[index]!)).toBe(`s-${schedules[index]}`);
    }
  };
  await learnAll(17);
  await learnAll(0);
  // Each makes the node forget what another one knows already.
  await Promise.all([19, 0, 10, 5, 18].map(learnAll));
  expect((await catalog.learn({ schedules: new Set([1n]) })).scheduleName(1n)).toBeNull();
  await pools.close();
});

test("a lane that another node makes while depths are counted is counted by name", async () => {
  await using t = await setup();
  await t.store.createTasks([t.newTask({ type: "new" })], { now: NOON });
  await t.claim(await t.session());
  const pools = await openPools({ connection: t.connectionString });
  const catalog = { ...createCatalog(pools.reads), lanes: async () => [] };
  expect(await depths(pools.reads, catalog, { now: NOON, cap: 10 })).toMatchObject([
    { lane: { namespace: "default", queue: "default", type: "new" }, state: "queued", count: 1 },
  ]);
  await pools.close();
});
