import { expect, test } from "vitest";
import { createFaults, type Faults, withFaults } from "./faults.ts";
import { createMemoryDatabase, createMemoryStore } from "./index.ts";

/** Delays end when the test says so. */
function setup(given: Partial<Faults> = {}) {
  const waits: { ms: number; resolve: () => void }[] = [];
  const faults = createFaults({
    random: () => 0.5,
    delay: (ms) => new Promise((resolve) => waits.push({ ms, resolve })),
    ...given,
  });
  const database = createMemoryDatabase({ now: () => 0 });
  const reliable = createMemoryStore(database);
  const store = withFaults(reliable, faults);
  const open = () => store.openSession({ node: "one", url: null, now: 0 });
  return { faults, waits, database, reliable, store, open };
}

test("a call that fails before its work has changed nothing", async () => {
  const t = setup({ failBefore: 1 });
  await expect(t.open()).rejects.toMatchObject({ code: "unavailable" });
  expect(await t.reliable.sessions()).toEqual([]);
});

test("a call that fails after its work has changed everything", async () => {
  const t = setup({ failAfter: 1 });
  await expect(t.open()).rejects.toMatchObject({ code: "unavailable" });
  expect(await t.reliable.sessions()).toHaveLength(1);
});

test("a slow call waits on its way there and back", async () => {
  const t = setup({ slow: 1, slowMs: 100 });
  const opened = t.open();
  expect(t.waits.map((wait) => wait.ms)).toEqual([50]);
  expect(t.database.sessions.size).toBe(0);
  t.waits.shift()!.resolve();
  await expect.poll(() => t.waits.length).toBe(1);
  expect(t.database.sessions.size).toBe(1);
  t.waits.shift()!.resolve();
  expect(await opened).toMatchObject({ slot: 16 });
});

test("a node that is cut off fails after the timeout until the line is healed", async () => {
  const t = setup({ cutOff: true, timeoutMs: 5_000 });
  const refused = expect(t.open()).rejects.toMatchObject({ code: "unavailable" });
  expect(t.waits.map((wait) => wait.ms)).toEqual([5_000]);
  t.waits.shift()!.resolve();
  await refused;
  expect(t.database.sessions.size).toBe(0);
  t.faults.cutOff = false;
  expect(await t.open()).toMatchObject({ slot: 16 });
});

test("a line cut while the call works leaves an unknown commit", async () => {
  const t = setup();
  const refused = expect(t.open()).rejects.toMatchObject({ code: "unavailable" });
  await Promise.resolve();
  t.faults.cutOff = true;
  await expect.poll(() => t.waits.length).toBe(1);
  t.waits.shift()!.resolve();
  await refused;
  expect(t.database.sessions.size).toBe(1);
});

test("hints do not pass a line that is cut, and pass again once it is healed", async () => {
  const t = setup();
  const heard: unknown[] = [];
  t.store.hints.subscribe((hint) => heard.push(hint));
  t.faults.cutOff = true;
  createMemoryStore(t.database).hints.publish({ types: true });
  await Promise.resolve();
  t.faults.cutOff = false;
  createMemoryStore(t.database).hints.publish({ schedules: true });
  await Promise.resolve();
  expect(heard).toEqual([{ schedules: true }]);
});
