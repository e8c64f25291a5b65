import type { Id } from "@carillon/core";
import { expect, test } from "vitest";
import type { NewTask, Store } from "../store.ts";
import { NOON, setup, succeeded, type TestStore } from "./test-store.ts";

const settle = (store: Store) => store.settleDependencies({ now: NOON, limit: 500 });
const create = (t: TestStore, task: NewTask) => t.store.createTasks([task], { now: NOON });

async function held(t: TestStore) {
  await create(t, t.newTask());
  const [task] = await t.claim(await t.session());
  return task!;
}

test("a child that is made while its parent ends is released: the parent's end waits for its edge", async () => {
  await using t = await setup();
  const parent = await held(t);
  const other = await t.connect();
  const child = t.newTask();
  // As the store creates it: the parent's row is locked, and the edge is committed with the child.
  await other.query("begin");
  await other.query("update task set has_children = true where id = $1", [parent.id]);
  await other.query(
    `insert into task (id, due_at, lane_id, policy_id, state, band, priority, namespace, pending_parents, extra)
     select $2::bigint, due_at, lane_id, policy_id, 'blocked', band, priority, namespace, 1,
            jsonb_build_object('after', jsonb_build_array($1::text), 'when', 'all')
       from task where id = $1::bigint`,
    [parent.id, child.id],
  );
  await other.query("insert into dependency (parent_id, child_id) values ($1, $2)", [parent.id, child.id]);
  const ended = t.store.recordOutcomes([succeeded(parent)]);
  await t.untilBlocked();
  await other.query("commit");
  expect(await ended).toEqual([true]);
  expect((await settle(t.store)).released.map(({ id }) => id)).toEqual([child.id]);
  expect(await t.store.getTask("default", child.id)).toMatchObject({ state: "pending", after: [parent.id] });
});

test("a child that comes when its parent's end is committed and not told yet has it counted once", async () => {
  await using t = await setup();
  const [one, two] = [await held(t), await held(t)];
  const early = t.newTask({ after: [one.id, two.id], when: "all" });
  await create(t, early);
  await t.store.recordOutcomes([succeeded(one)]);
  const late = t.newTask({ after: [one.id, two.id], when: "all" });
  await create(t, late);
  await settle(t.store);
  for (const { id } of [early, late]) expect(await t.store.getTask("default", id)).toMatchObject({ state: "blocked" });
  await t.store.recordOutcomes([succeeded(two)]);
  const { released } = await settle(t.store);
  expect(released.map(({ id }) => id)).toEqual([early.id, late.id]);
});

test("two nodes that tell ends of the same child at once release it once", async () => {
  await using t = await setup();
  const other = await t.openStore();
  const parents = [];
  for (let n = 0; n < 40; n++) parents.push(await held(t));
  const children = t.newTasks(20, { after: parents.map(({ id }) => id), when: "all" });
  await t.store.createTasks(children, { now: NOON });
  const released: Id[] = [];
  const tell = async (store: Store) => {
    const request = { now: NOON, limit: 3 };
    for (const answer of [await store.settleDependencies(request), await store.settleDependencies(request)])
      released.push(...answer.released.map(({ id }) => id));
  };
  for (let n = 0; n < parents.length; n += 10) {
    await t.store.recordOutcomes(parents.slice(n, n + 10).map((task) => succeeded(task)));
    await Promise.all([tell(t.store), tell(other), tell(t.store), tell(other)]);
  }
  for (let left = 1; left > 0; ) {
    await tell(other);
    left = (await t.sql("select from ended_task")).length;
  }
  expect(released.sort()).toEqual(children.map(({ id }) => id).sort());
  expect(await t.sql("select from dependency")).toEqual([]);
});

test("a store that is gone before it told an end leaves it to the others", async () => {
  await using t = await setup();
  const parent = await held(t);
  const child = t.newTask({ after: [parent.id], when: "all-done" });
  await create(t, child);
  const other = await t.openStore();
  const told = t.store.endings.subscribe(() => {
    throw new Error("the process ends here");
  });
  await expect(t.store.recordOutcomes([succeeded(parent)])).rejects.toThrow();
  told();
  expect((await settle(other)).released.map(({ id }) => id)).toEqual([child.id]);
});

test("a parent with more children than a round tells has all of them told", async () => {
  await using t = await setup();
  const parent = await held(t);
  await t.store.createTasks(t.newTasks(4_500, { after: [parent.id], when: "all" }), { now: NOON });
  await t.store.recordOutcomes([succeeded(parent)]);
  const counts: number[] = [];
  for (let more = true; more; ) {
    const answer = await settle(t.store);
    counts.push(answer.released.length);
    more = answer.more;
  }
  expect(counts).toEqual([2_000, 2_000, 500]);
});

test("tasks without children end by the statement that they always ended by, and leave no mark", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(3), { now: NOON });
  const names: string[] = [];
  const store = await t.openStore({ statementTimer: (name) => names.push(name) });
  const tasks = await t.claim(await t.session());
  await store.recordOutcomes([succeeded(tasks.pop()!)]); // The day has its partition from here on.
  names.length = 0;
  expect(await store.recordOutcomes(tasks.map((task) => succeeded(task)))).toEqual([true, true]);
  expect(names).toEqual(["finish_11111100"]);
  expect(await t.sql("select from ended_task")).toEqual([]);
});
