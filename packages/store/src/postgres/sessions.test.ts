import { expect, test } from "vitest";
import { NOON, setup } from "./test-store.ts";

test("nodes that start at the same moment get slots of their own", async () => {
  await using t = await setup();
  const stores = await Promise.all(Array.from({ length: 6 }, () => t.openStore()));
  const opened = await Promise.all(
    stores.map((store, index) => store.openSession({ node: `node-${index}`, url: null, now: NOON })),
  );
  expect(new Set(opened.map(({ slot }) => slot)).size).toBe(6);
});

test("leases of a claim that arrived after its session was closed are found and taken back", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(2), { now: NOON });
  const session = await t.session();
  // As if the claim's snapshot was from before the end of the session.
  await t.store.closeSession(session, NOON);
  await t.sql("update task set state = 'claimed', session = $1, token = 1, attempt = 1", [session]);

  const [found] = await t.store.sessions();
  expect(found).toMatchObject({ id: session, deadAt: null });
  expect(await t.store.markSessionDead(session, found!.beat, NOON)).toBe(true);
  expect(await t.store.takeBack(session, { now: NOON + 1_500, limit: 10 })).toBe(2);
  expect(await t.store.sessions()).toEqual([]);
  expect(await t.sql("select from task where state = 'pending' and attempt = 0")).toHaveLength(2);
});

test("adopting and taking back the leases of a dead session at once leaves each task in one hand", async () => {
  await using t = await setup();
  const adopter = await t.session("adopter");
  for (let round = 0; round < 5; round++) {
    const session = await t.session("dead");
    await t.store.createTasks(t.newTasks(200), { now: NOON });
    const tasks = await t.claim(session);
    await t.store.markSessionDead(session, 0n, NOON);
    const [adopted, back] = await Promise.all([
      t.store.adopt(adopter, "default", tasks.toReversed()),
      t.store.takeBack(session, { now: NOON + 1_500, limit: 1_000 }),
    ]);
    expect(adopted.length + back).toBe(200);
    expect(await t.sql("select from task where session = $1", [adopter])).toHaveLength(adopted.length);
    expect(await t.sql("select from task where state = 'pending'")).toHaveLength(back);
    await t.sql("delete from task");
  }
});

test("two reapers share the leases of a dead session", async () => {
  await using t = await setup();
  const second = await t.openStore();
  const session = await t.session();
  await t.store.createTasks(t.newTasks(500), { now: NOON });
  await t.claim(session);
  await t.store.markSessionDead(session, 0n, NOON);
  const request = { now: NOON + 1_500, limit: 400 };
  let taken = 0;
  for (let round = 0; round < 2; round++) {
    const counts = await Promise.all([t.store.takeBack(session, request), second.takeBack(session, request)]);
    taken += counts[0] + counts[1];
  }
  expect(taken).toBe(500);
  expect(await t.sql("select from task where state = 'pending' and attempt = 0 and token = 1")).toHaveLength(500);
  expect(await t.store.sessions()).toEqual([]);
});

test("a renewal that was under way when the session was marked dead does not bring it back", async () => {
  await using t = await setup();
  const session = await t.session();
  const other = await t.connect();
  await other.query("begin");
  await other.query("update session set dead_at = now() where id = $1", [session]);
  const renewal = t.store.renewSession(session, NOON);
  await t.untilBlocked();
  await other.query("commit");
  expect(await renewal).toEqual({ alive: false, recalls: [] });
});

test("a node shows its signs of life while people's changes wait for somebody else's lock", async () => {
  await using t = await setup();
  const session = await t.session();
  const [task] = t.newTasks(1);
  await t.store.createTasks([task!], { now: NOON });
  const somebody = await t.connect();
  await somebody.query("begin");
  await somebody.query("select from task for update");
  const changes = [...Array(10)].map(() => t.store.cancelTask("default", task!.id, { reason: null, now: NOON }));
  await t.untilBlocked(4);
  expect(await t.store.renewSession(session, NOON)).toMatchObject({ alive: true });
  expect(await t.store.sessions()).toHaveLength(1);
  await somebody.query("rollback");
  await Promise.all(changes);
});
