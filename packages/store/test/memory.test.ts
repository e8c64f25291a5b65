import { createMemoryDatabase, createMemoryStore, type Hint } from "@carillon/store";
import { expect, test } from "vitest";
import { storeSuite } from "./store-suite.ts";

storeSuite("the memory store", async () => createMemoryStore(createMemoryDatabase({ now: () => 0 })));

test("stores over one database see each other's work and hear each other's hints", async () => {
  const database = createMemoryDatabase({ now: () => 0 });
  const [one, other] = [createMemoryStore(database), createMemoryStore(database)];
  const heard: Hint[] = [];
  const stop = other.hints.subscribe((hint) => heard.push(hint));
  one.hints.publish({ types: true });
  const { id } = await one.openSession({ node: "one", url: null, now: 0 });
  expect(await other.sessions()).toMatchObject([{ id, node: "one" }]);
  stop();
  one.hints.publish({ schedules: true });
  await one.databaseTime();
  expect(heard).toEqual([{ types: true }]);
});

test("maintenance forgets what is older than its retention", async () => {
  const day = 86_400_000;
  const store = createMemoryStore(createMemoryDatabase({ now: () => 0 }));
  const old = await store.openSession({ node: "old", url: null, now: 0 });
  await store.closeSession(old.id, 1);
  await store.maintain({ now: 2 * day, retentionMs: day, logRetentionMs: day });
  // The instant when a node was last alive went with its session.
  expect(await store.openSession({ node: "new", url: null, now: 2 * day })).toMatchObject({ lastSeenAt: null });
});
