/** Limits under real transactions: what only several connections can get wrong. */
import type { Id } from "@carillon/core";
import { expect, test } from "vitest";
import type { QueueSettings, Store } from "../store.ts";
import { openExplainedStore } from "./test-plans.ts";
import { NOON, setup, succeeded, type TestStore } from "./test-store.ts";

async function limit(t: TestStore, settings: QueueSettings): Promise<void> {
  await t.store.putQueue({ namespace: "default", name: "default", settings, now: NOON });
}

async function claimLimited(
  t: TestStore,
  session: Id,
  { store = t.store, limit = 10, now = NOON, keys = [] as string[], sweepAfter = "" as string | null } = {},
) {
  const lanes = (await store.lanes()).map(({ id }) => id);
  return store.claimLimited({ session, namespace: "default", queue: "default", lanes, limit, now, keys, sweepAfter });
}

test("six nodes that claim and finish at once never hold more than the limits allow, and everything runs", {
  timeout: 60_000,
}, async () => {
  await using t = await setup();
  await limit(t, { concurrency: 5, concurrencyPerKey: 2 });
  const tasks = Array.from({ length: 120 }, (_, index) =>
    t.newTask({ concurrencyKey: index % 4 === 0 ? null : `k-${index % 3}`, priority: 1 + (index % 9) }),
  );
  await t.store.createTasks(tasks, { now: NOON });
  const stores = await Promise.all(Array.from({ length: 6 }, () => t.openStore()));
  const exceeded: unknown[] = [];
  let done = 0;
  async function work(store: Store, node: string): Promise<void> {
    const { id: session } = await store.openSession({ node, url: null, now: NOON });
    while (done < tasks.length) {
      const { claimed } = await claimLimited(t, session, { store, limit: 3 });
      // What is committed at one moment.
      const held = await t.sql<{ key: string; count: number; all: number }>(`
        select coalesce(extra ->> 'concurrencyKey', '') as key, count(*)::int as count, sum(count(*)) over ()::int as all
          from task where session is not null group by 1`);
      exceeded.push(...held.filter(({ key, count, all }) => all > 5 || (key !== "" && count > 2)));
      const recorded = await store.recordOutcomes(claimed.map((task) => succeeded(task)));
      done += recorded.filter(Boolean).length;
    }
  }
  await Promise.all(stores.map((store, index) => work(store, `node-${index}`)));
  expect(exceeded).toEqual([]);
  expect(done).toBe(120);
  expect(await t.sql("select from task")).toEqual([]);
});

test("a limit waits for the claims that are on their way, and counts what they took", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(3), { now: NOON });
  const session = await t.session();
  const [{ id: lane }] = (await t.sql<{ id: number }>("select id from lane")) as [{ id: number }];
  // As a claim does it, stopped before its commit.
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from lane where id = $1 and mode = 0 for key share", [lane]);
  await other.query(
    `update task set state = 'claimed', session = $1, token = 1, attempt = 1
      where id = (select id from task order by id limit 1)`,
    [session],
  );
  let limited = false;
  const limiting = limit(t, { concurrency: 1 }).then(() => {
    limited = true;
  });
  await t.untilBlocked();
  // Meanwhile nobody claims from the lane, and nobody waits for it.
  expect(await t.claim(session)).toEqual([]);
  expect(limited).toBe(false);
  await other.query("commit");
  await limiting;
  expect(await claimLimited(t, session)).toMatchObject({ claimed: [], full: true });
  expect(await t.claim(session)).toEqual([]);
});

test("should whoever limits a queue die on the way, the next to claim there goes on from where it was", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(3), { now: NOON });
  const session = await t.session();
  const [running] = await t.claim(session, 1);
  await limit(t, { concurrency: 1 });
  // As it was after the first step.
  await t.sql("update queue set settling = true");
  await t.sql("update task set limited = null, recall = null");
  expect(await claimLimited(t, session)).toMatchObject({ claimed: [], full: true });
  expect((await t.store.renewSession(session, NOON)).recalls).toMatchObject([{ id: running!.id, what: "return" }]);
});

test("a lane that is made while its queue is being limited is limited too", async () => {
  await using t = await setup();
  const other = await t.connect();
  await other.query("begin");
  await other.query("insert into lane (namespace, queue, type) values ('default', 'default', 'late')");
  const limiting = limit(t, { concurrency: 1 });
  await t.untilBlocked();
  await other.query("commit");
  await limiting;
  await t.store.createTasks(t.newTasks(1, { type: "later" }), { now: NOON });
  expect(await t.sql("select type, mode from lane order by type")).toEqual([
    { type: "late", mode: 1 },
    { type: "later", mode: 1 },
  ]);
});

test("who finds a queue locked comes again, and waits for nobody", async () => {
  await using t = await setup();
  await limit(t, { concurrency: 1 });
  await t.store.createTasks(t.newTasks(1), { now: NOON });
  const session = await t.session();
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from queue for update");
  expect(await claimLimited(t, session)).toMatchObject({ claimed: [], busy: true });
  await other.query("rollback");
  expect(await claimLimited(t, session)).toMatchObject({ claimed: [{}], busy: false });
});

test("neither 100,000 tasks behind a full key, nor a backlog behind a full queue, cost a claim anything", {
  timeout: 90_000,
}, async () => {
  await using t = await setup();
  await using explained = await openExplainedStore(t.connectionString);
  const { store } = explained;
  await limit(t, { concurrency: 3, concurrencyPerKey: 1 });
  const tasks = ["a", "a", "b", null].map((concurrencyKey) => t.newTask({ concurrencyKey, dueAt: NOON - 1 }));
  await t.store.createTasks(tasks, { now: NOON });
  await t.sql("alter table task set (autovacuum_enabled = off)");
  const session = await t.session();
  const first = await claimLimited(t, session);
  expect(first.claimed).toHaveLength(3);
  const copies = (count: number, state: "waiting" | "pending") =>
    t.sql(
      `insert into task (id, due_at, lane_id, policy_id, state, band, priority, namespace, extra, gate_id, reason)
       select (select max(id) from task) + n, to_timestamp($1::float8 / 1000), 1, 1, $2::task_state, 2, 5, 'default',
              '{"concurrencyKey": "a"}', case when $2 = 'waiting' then (select -id from key_gate where key = 'a') end, null
         from generate_series(1, $3::int) n`,
      [NOON, state, count],
    );
  await copies(100_000, "waiting");
  await copies(50_000, "pending");
  const costs = async (work: () => Promise<unknown>) => {
    const { plans } = await explained.plansOf(work);
    const scans = plans.flatMap(({ name, nodes }) =>
      nodes
        .filter((node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] === "task")
        .map(() => `${name} reads all`),
    );
    return { scans, pages: Math.max(0, ...plans.filter(({ name }) => name !== "").map(({ pages }) => pages)) };
  };
  for (const learn of ["select", "analyze"]) {
    await t.sql(learn);
    const full = await costs(() => claimLimited(t, session, { store }));
    expect(full.scans).toEqual([]);
    expect(full.pages).toBeLessThan(100);
  }
  // One of another key goes past them: some of what is due in between is put aside, nothing else is read.
  await t.store.recordOutcomes([succeeded(first.claimed.find(({ concurrencyKey }) => concurrencyKey === "b")!)]);
  const next = await costs(() => claimLimited(t, session, { store, sweepAfter: null }));
  expect(next.scans).toEqual([]);
  expect(next.pages).toBeLessThan(40 * 210);
  // The key is free: the first that waits for it is found at once.
  await t.store.recordOutcomes([succeeded(first.claimed.find(({ concurrencyKey }) => concurrencyKey === "a")!)]);
  const found = await explained.plansOf(() =>
    claimLimited(t, session, { store, limit: 1, keys: ["a"], sweepAfter: null }),
  );
  expect(found.answer.claimed.map(({ id }) => id)).toEqual([tasks[1]!.id]);
});

test("100,000 tasks of one fair key hide those of no other, and cost a claim nothing", {
  timeout: 90_000,
}, async () => {
  await using t = await setup();
  await using explained = await openExplainedStore(t.connectionString);
  const { store } = explained;
  await limit(t, { concurrency: 2, concurrencyPerKey: 5 });
  const of = (fairKey: string, dueAt: number) => t.newTask({ fairKey, concurrencyKey: fairKey, dueAt });
  await t.store.createTasks([of("ada", NOON - 60_000), of("bob", NOON - 1), of("bob", NOON - 1)], { now: NOON });
  await t.sql("alter table task set (autovacuum_enabled = off)");
  await t.sql(
    `insert into task (id, due_at, lane_id, policy_id, state, band, priority, namespace, extra)
     select (select max(id) from task) + n, to_timestamp($1::float8 / 1000), task.lane_id, 1, 'pending', 2, 5, 'default', task.extra
       from generate_series(1, 100000) n, (select lane_id, extra from task order by id limit 1) task`,
    [NOON - 60_000],
  );
  const session = await t.session();
  for (const learn of ["select", "analyze"]) {
    await t.sql(learn);
    const { answer, plans } = await explained.plansOf(() => claimLimited(t, session, { store }));
    expect(answer.claimed.map(({ concurrencyKey }) => concurrencyKey)).toEqual(["ada", "bob"]);
    const scans = plans.flatMap(({ nodes }) => nodes).filter((node) => node["Node Type"] === "Seq Scan");
    expect(scans.filter((node) => node["Relation Name"] === "task")).toEqual([]);
    expect(Math.max(...plans.filter(({ name }) => name !== "").map(({ pages }) => pages))).toBeLessThan(40 * 210);
    await t.store.recordOutcomes(answer.claimed.map((task) => succeeded(task)));
  }
});

test("buckets that are full again are forgotten", async () => {
  await using t = await setup();
  await limit(t, { rateLimitPerKey: { limit: 1, perMs: 1_000, burst: 2 } });
  const session = await t.session();
  await t.store.createTasks(t.newTasks(1, { concurrencyKey: "a" }), { now: NOON });
  expect((await claimLimited(t, session)).claimed).toHaveLength(1);
  const retention = { retentionMs: 86_400_000, logRetentionMs: 86_400_000 };
  await t.store.maintain({ now: NOON + 30_000, ...retention });
  expect(await t.sql("select key from key_rate")).toEqual([{ key: "a" }]);
  await t.store.maintain({ now: NOON + 120_000, ...retention });
  expect(await t.sql("select key from key_rate")).toEqual([]);
});
