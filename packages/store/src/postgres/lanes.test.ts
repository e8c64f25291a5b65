import { defaultPolicy } from "@carillon/core";
import { expect, test } from "vitest";
import { openPools } from "./db.ts";
import { createCatalog } from "./lanes.ts";
import { setup } from "./test-store.ts";

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
