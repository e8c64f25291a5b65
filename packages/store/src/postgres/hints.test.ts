import { expect, test } from "vitest";
import type { Hint } from "../store.ts";
import { mergeHint, parseHint, takeText } from "./hint-text.ts";
import { setup, type TestStore } from "./test-store.ts";

/** Its hints one by one, as they come. */
async function listener(t: TestStore, log: (message: string) => void = () => {}) {
  const store = await t.openStore({ log });
  const heard: Hint[] = [];
  let wake = () => {};
  store.hints.subscribe((hint) => {
    heard.push(hint);
    wake();
  });
  return {
    store,
    heard,
    async next(): Promise<Hint> {
      while (heard.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return heard.shift()!;
    },
  };
}

const listening = "select from pg_stat_activity where datname = current_database() and query = 'listen carillon'";

test("hints of one moment arrive together at the others, and not at their sender", async () => {
  await using t = await setup();
  const [sender, receiver] = [await listener(t), await listener(t)];
  await t.until(listening, 3);
  sender.store.hints.publish({ due: [{ laneId: 1, band: 2, dueAt: 5_000 }], recall: [7n] });
  sender.store.hints.publish({ due: [{ laneId: 1, band: 2, dueAt: 4_000 }], types: true });
  sender.store.hints.publish({ changed: { tasks: [1n << 62n], schedules: ["nightly"], more: false } });
  expect(await receiver.next()).toEqual({
    due: [{ laneId: 1, band: 2, dueAt: 4_000 }],
    recall: [7n],
    types: true,
    changed: { tasks: [1n << 62n], schedules: ["nightly"], more: false },
  });
  receiver.store.hints.publish({
    queues: true,
    changed: { tasks: [], schedules: [], queues: ["billing"], more: false },
  });
  expect(await sender.next()).toEqual({
    queues: true,
    changed: { tasks: [], schedules: [], queues: ["billing"], more: false },
  });
  expect(receiver.heard).toEqual([]);
});

test("a listener whose connection was ended listens again, and looks everywhere once", async () => {
  await using t = await setup();
  const said: string[] = [];
  const receiver = await listener(t, (message) => said.push(message));
  await t.until(listening, 2);
  const pids = (await t.sql(listening.replace("select", "select pid"))).map(({ pid }) => pid).join();
  await t.sql(`select pg_terminate_backend(pid) from unnest(array[${pids}]) pid`);
  expect(await receiver.next()).toEqual({
    types: true,
    schedules: true,
    queues: true,
    changed: { tasks: [], schedules: [], more: true },
  });
  expect(said).toHaveLength(1);
  await t.until(`select from pg_stat_activity where pid in (${pids})`, 0);
  t.store.hints.publish({ schedules: true });
  await t.until(listening, 2);
  t.store.hints.publish({ recall: [1n] });
  for (let hint = await receiver.next(); !hint.recall; hint = await receiver.next());
});

test("more than fits into one notification goes into several, or is said to be more", () => {
  const many = Array.from({ length: 500 }, (_, index) => BigInt(index) + (1n << 61n));
  let left = mergeHint(null, {
    due: many.map((_, index) => ({ laneId: 2_000_000_000 + index, band: 3, dueAt: 1_784_116_800_000.5 })),
    recall: many,
    changed: {
      tasks: many,
      schedules: many.map((id) => `schedule-${id}`.padEnd(128, "x")),
      queues: many.map((id) => `queue-${id}`.padEnd(128, "x")),
      more: false,
    },
  });
  const heard: Hint[] = [];
  for (let next: typeof left | null = left; next; next = left) {
    const taken = takeText(next, "sender");
    expect(Buffer.byteLength(taken.text)).toBeLessThan(7_900);
    heard.push(parseHint(taken.text, "other")!);
    if (!taken.left) break;
    left = taken.left;
  }
  expect(heard.flatMap(({ due }) => due ?? [])).toHaveLength(500);
  expect(heard.flatMap(({ recall }) => recall ?? [])).toEqual(many);
  expect(heard[0]!.changed).toMatchObject({ more: true });
});

test("what is not a hint is passed over", () => {
  expect(parseHint("not json", "me")).toBeNull();
  expect(parseHint('{"from":"me","schedules":true}', "me")).toBeNull();
});
