/** What a claim, and a look at what is due next, touch in a database that is full of what they are not about. */
import { expect, test } from "vitest";
import type { ClaimTarget } from "../store.ts";
import { openExplainedStore } from "./test-plans.ts";
import { NOON, setup, type TestStore } from "./test-store.ts";

test("a claim over 10,000 queues with nothing due costs a few pages a queue, and finds the one task that is", {
  timeout: 90_000,
}, async () => {
  await using t = await withCounts();
  await t.sql(`
    insert into lane (namespace, queue, type) select 'default', 'q-' || n, 'send' from generate_series(1, 10000) n`);
  const laneIds = (await t.store.lanes()).map(({ id }) => id);
  const targets = laneIds.map((laneId): ClaimTarget => ({ laneId, band: 2, limit: 1 }));
  await fill(t, { lanes: "type = 'send'", count: 10_000, dueAt: NOON + 60_000 });
  for (const analyzed of [false, true]) {
    if (analyzed) await t.sql("analyze");
    const none = await t.claims(targets);
    expect(none.tasks).toEqual([]);
    expect(none.pages).toBeLessThan(5 * targets.length);
    const next = await t.looks(laneIds);
    expect(next.found).toHaveLength(10_000);
    expect(next.pages).toBeLessThan(5 * 3 * laneIds.length);

    const [due] = t.newTasks(1, { queue: "q-5000" });
    await t.store.createTasks([due!], { now: NOON });
    const one = await t.claims(targets);
    expect(one.tasks.map(({ id }) => id)).toEqual([due!.id]);
    expect(one.pages).toBeLessThan(none.pages + 50);
  }
});

test("500,000 due tasks of a type that nobody serves, and 100,000 due later, cost a claim nothing", {
  timeout: 90_000,
}, async () => {
  await using t = await withCounts();
  const created = t.newTasks(60);
  await t.store.createTasks(created, { now: NOON });
  const { targets, laneIds } = await lanesOf(t, "send", 10);
  const alone = await t.claims(targets);
  const looking = await t.looks(laneIds);
  await t.store.createTasks(t.newTasks(1, { type: "unserved" }), { now: NOON });
  await fill(t, { lanes: "type = 'unserved'", count: 500_000, dueAt: NOON - 60_000 });
  await fill(t, { lanes: "type = 'send'", count: 100_000, dueAt: NOON + 1 });

  // Whatever the planner knows: nothing yet, the truth, or that the table was empty when it last looked.
  for (const learn of ["select", "analyze task", emptyBefore]) {
    await t.sql(learn);
    const claimed = await t.claims(targets);
    expect(claimed.tasks).toHaveLength(10);
    expect(claimed.pages).toBeLessThan(alone.pages + 50);
    expect((await t.looks(laneIds)).pages).toBeLessThan(looking.pages + 50);
  }
});

test("200,000 dead entries that an open transaction keeps cost a claim nothing that begins after them", {
  timeout: 90_000,
}, async () => {
  await using t = await withCounts();
  const { targets, laneIds } = await lanesOf(t, "send", 1);
  await t.store.createTasks(t.newTasks(20), { now: NOON });
  const alone = await t.claims(targets);
  const other = await t.connect();
  await other.query("set idle_in_transaction_session_timeout = 0");
  await other.query("begin isolation level repeatable read");
  await other.query("select from task");
  await fill(t, { lanes: "type = 'send'", count: 200_000, dueAt: NOON - 1_000 });
  await t.sql("delete from task where due_at < to_timestamp($1::float8 / 1000)", [NOON]);
  await t.sql("vacuum task");

  const [next] = (await t.looks(laneIds)).found;
  expect(next).toMatchObject({ dueAt: NOON });
  for (let times = 0; times < 3; times++) {
    const { tasks, pages } = await t.claims(targets.map((target) => ({ ...target, from: next!.dueAt })));
    expect(tasks).toHaveLength(1);
    expect(pages).toBeLessThan(alone.pages + 50);
  }
  await other.query("rollback");
});

const emptyBefore = "update pg_class set reltuples = 0, relpages = 10000 where oid = 'task'::regclass";

async function withCounts() {
  const t = await setup({ alone: true });
  const { store, plansOf, [Symbol.asyncDispose]: close } = await openExplainedStore(t.connectionString);
  await t.store.createTasks(t.newTasks(1), { now: NOON }); // Makes its lane.
  await t.sql("delete from task");
  await t.sql("alter table task set (autovacuum_enabled = off)");
  const session = await t.session();
  const pagesOf = async <T>(name: string, work: () => Promise<T>) => {
    const { plans, answer } = await plansOf(work);
    return { answer, pages: plans.find((plan) => plan.name === name)!.pages };
  };
  return {
    ...t,
    async claims(targets: ClaimTarget[], until = NOON) {
      const request = { session, targets, until, limit: 10, now: until };
      const { answer: tasks, pages } = await pagesOf("claim_due", () => store.claim(request));
      return { tasks, pages };
    },
    async looks(laneIds: number[]) {
      const { answer: found, pages } = await pagesOf("next_due", () => store.nextDue(laneIds));
      return { found, pages };
    },
    async [Symbol.asyncDispose]() {
      await close();
      await t[Symbol.asyncDispose]();
    },
  };
}

async function lanesOf(t: TestStore, type: string, limit: number) {
  const laneIds = (await t.store.lanes()).filter((lane) => lane.type === type).map(({ id }) => id);
  return { laneIds, targets: laneIds.map((laneId): ClaimTarget => ({ laneId, band: 2, limit })) };
}

/** So many tasks, one millisecond after another, in these lanes by turns. */
async function fill(t: TestStore, { lanes, count, dueAt }: { lanes: string; count: number; dueAt: number }) {
  await t.sql(
    `
    insert into task (id, due_at, lane_id, policy_id, state, band, priority, namespace)
    select (select coalesce(max(id), 0) from task where id < 10000000) + n, to_timestamp($1::float8 / 1000) + n * interval '1 microsecond',
           lane.ids[1 + n % array_length(lane.ids, 1)], 1, 'pending', 2, 5, 'default'
      from generate_series(1, $2::int) n cross join (select array_agg(id) as ids from lane where ${lanes}) lane`,
    [dueAt, count],
  );
}
