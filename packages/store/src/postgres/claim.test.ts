import { expect, test } from "vitest";
import { NOON, proxied, setup } from "./test-store.ts";

test("eight nodes that claim at once share the tasks, and none is claimed twice", async () => {
  await using t = await setup();
  const created = t.newTasks(4_000);
  await t.store.createTasks(created, { now: NOON });
  const stores = await Promise.all(Array.from({ length: 8 }, () => t.openStore()));
  const claimed = await Promise.all(
    stores.map(async (store, index) => {
      const { id: session } = await store.openSession({ node: `node-${index}`, url: null, now: NOON });
      const targets = await t.targets(50);
      const ids: bigint[] = [];
      // A batch may come back small while others hold rows; only when all are gone there is nothing left.
      while ((await t.sql("select from task where state = 'pending' limit 1")).length > 0) {
        const tasks = await store.claim({ session, targets, until: NOON, limit: 50, now: NOON });
        ids.push(...tasks.map((task) => task.id));
      }
      return ids;
    }),
  );
  const all = claimed.flat();
  expect(all.length).toBe(created.length);
  expect(new Set(all).size).toBe(created.length);
  expect(await t.sql("select from task where token <> 1 or attempt <> 1")).toEqual([]);
});

test("a claim passes over rows that somebody else has locked, without waiting", async () => {
  await using t = await setup();
  const first = t.newTask();
  const second = t.newTask();
  await t.store.createTasks([first, second], { now: NOON });
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from task where id = $1 for update", [first.id]);
  const session = await t.session();
  expect((await t.claim(session)).map((task) => task.id)).toEqual([second.id]);
  await other.query("rollback");
  expect((await t.claim(session)).map((task) => task.id)).toEqual([first.id]);
});

test("a closed session claims nothing", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(1), { now: NOON });
  const session = await t.session();
  await t.store.closeSession(session, NOON);
  expect(await t.claim(session)).toEqual([]);
});

test("a claim whose answer was lost is found among the session's leases, and can be given back", async () => {
  await using t = await setup();
  const created = t.newTasks(3);
  await t.store.createTasks(created, { now: NOON });
  const session = await t.session();
  const targets = await t.targets(10);
  await using network = await proxied(t);
  network.loseAnswerTo("claim_due");
  const lost = network.store.claim({ session, targets, until: NOON, limit: 10, now: NOON });
  lost.catch(() => {});
  await t.until("select from task where state = 'claimed'", 3);
  network.cut();
  await expect(lost).rejects.toMatchObject({ code: "unavailable" });

  const leases = await t.store.leases(session);
  expect(leases.map(({ id }) => id).sort()).toEqual(created.map(({ id }) => id));
  await t.store.giveBack(session, leases);
  const again = await t.claim(session);
  expect(again.map(({ attempt, token }) => [attempt, token])).toEqual([
    [1, 2n],
    [1, 2n],
    [1, 2n],
  ]);
});
