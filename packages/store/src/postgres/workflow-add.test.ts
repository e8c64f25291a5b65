import type { Id } from "@carillon/core";
import { expect, test } from "vitest";
import type { ClaimedTask, Store, TaskToAdd } from "../store.ts";
import { NOON, setup, succeeded, type TestStore } from "./test-store.ts";

/** Tasks that each add others, and one that comes after all of them. */
async function fanOf(t: TestStore, splits: number) {
  const id = t.newTask().id;
  const member = (key: string) => ({ ...t.newTask(), workflow: { id, key, always: false } });
  const roots = Array.from({ length: splits }, (_, n) => member(`split-${n}`));
  const join = { ...member("join"), after: roots.map((root) => root.id), when: "all" as const };
  await t.store.createWorkflow({ id, namespace: "default", name: "fan", onFailure: "stop" }, [...roots, join], NOON);
  const part = (key: string): TaskToAdd => ({ key, after: [], when: "all", task: t.newTask() });
  return {
    id,
    join: join.id,
    add: (store: Store, parent: string, keys: string[]) =>
      store.addToWorkflow("default", id, { tasks: keys.map(part), parent, now: NOON }),
    get: async () => (await t.store.getWorkflow("default", id))!,
  };
}

const settle = (store: Store) => store.settleDependencies({ now: NOON, limit: 500 });

test("a parent that ends while it adds tasks is told of afterwards: what comes after it waits for them", async () => {
  await using t = await setup();
  const fan = await fanOf(t, 1);
  const [split] = await t.claim(await t.session());
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from workflow for update");
  const added = fan.add(t.store, "split-0", ["one", "two"]);
  await t.untilBlocked();
  expect(await t.store.recordOutcomes([succeeded(split!)])).toEqual([true]);
  expect(await settle(await t.openStore())).toMatchObject({ released: [], more: true });
  await other.query("commit");
  expect(await added).toMatchObject({ kind: "done", workflow: { total: 4, open: 4 } });
  expect(await settle(t.store)).toMatchObject({ released: [] });
  expect(await t.store.waitsFor("default", fan.join, 10)).toMatchObject({ count: 2 });
  const parts = await t.claim(await t.session("node-2"));
  await t.store.recordOutcomes(parts.map((part) => succeeded(part)));
  expect((await settle(t.store)).released.map(({ id }) => id)).toEqual([fan.join]);
});

test("a parent whose end was told while its call waited has nobody wait for what it adds", async () => {
  await using t = await setup();
  const fan = await fanOf(t, 1);
  const [split] = await t.claim(await t.session());
  await t.store.recordOutcomes([succeeded(split!)]);
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from workflow for update");
  const added = fan.add(t.store, "split-0", ["late"]);
  await t.untilBlocked();
  // As the one does that tells ends.
  await other.query("delete from ended_task");
  await other.query("delete from dependency");
  await other.query("update task set state = 'pending', pending_parents = 0 where state = 'blocked'");
  await other.query("update workflow set open = open - 1, succeeded = succeeded + 1");
  await other.query("commit");
  expect(await added).toMatchObject({ kind: "done", workflow: { total: 3, open: 2 } });
  expect(await t.store.getTask("default", fan.join)).toMatchObject({ state: "pending", after: [split!.id] });
});

test("one that was cancelled alone while its workflow's graph was read is not waited on", async () => {
  await using t = await setup();
  const fan = await fanOf(t, 1);
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from task where id = $1 for update", [fan.join]);
  const added = fan.add(t.store, "split-0", ["one"]);
  await t.untilBlocked();
  await other.query("delete from task where id = $1", [fan.join]);
  await other.query("commit");
  expect(await added).toMatchObject({ kind: "done", tasks: [{ created: true }] });
  expect(await t.sql("select from dependency where child_id = $1", [fan.join])).toHaveLength(1);
});

test("two stores that add the same while ends are told add it once, and the last task waits for all of it", async () => {
  await using t = await setup();
  const stores = [t.store, await t.openStore()];
  const fan = await fanOf(t, 6);
  const session = await t.session();
  const order: Id[] = [];
  const end = async (tasks: ClaimedTask[]) => {
    if (tasks.length === 0) return;
    order.push(...tasks.map(({ id }) => id));
    await t.store.recordOutcomes(tasks.map((task) => succeeded(task)));
  };
  const splits = await t.claim(session);
  await Promise.all(
    splits.map(async (split) => {
      const { key } = split.workflow!;
      const keys = Array.from({ length: 10 }, (_, n) => `${key}-${n}`);
      await Promise.all(stores.map((store) => fan.add(store, key, keys)));
      await end([split]);
      await Promise.all(stores.map(settle));
    }),
  );
  while ((await fan.get()).state === "running") {
    await end(await t.claim(session));
    await Promise.all(stores.map(settle));
  }
  expect(await fan.get()).toMatchObject({ total: 67, open: 0, succeeded: 67 });
  expect(order).toHaveLength(67);
  expect(new Set(order).size).toBe(67);
  expect(order.at(-1)).toBe(fan.join);
  expect(await t.sql("select from dependency")).toEqual([]);
  const keys = await t.sql("select key from workflow_task group by key having count(*) > 1");
  expect(keys).toEqual([]);
});
