import type { QueueSettings } from "@carillon/store";
import { describe, expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";

type World = Awaited<ReturnType<typeof world>>;

/** A node with a worker of two slots that takes 100 ms for each task. `started`: whose task each start was of. */
async function world({ keys, settings, types = ["t"] }: { keys: string[]; settings: QueueSettings; types?: string[] }) {
  const t = await setup({ callMs: 3 });
  await t.store.putQueue({ namespace: "default", name: "default", settings, now: t.clock.now() });
  for (const fairKey of keys) await t.knowLane({ fairKey });
  for (const type of types) await t.knowLane({ type });
  const started: string[] = [];
  const whose = new Map<bigint, string>();
  function join(of: Parameters<typeof t.worker>[0] = {}): void {
    const worker = t.worker({ slots: 2, types, ...of });
    worker.onTask = ({ id, token }) => {
      started.push(whose.get(id)!);
      t.clock.after(100, () => worker.end({ id, token }, undefined, 100));
    };
  }
  join();
  await t.clock.advance(100);
  return {
    ...t,
    started,
    join,
    /** As many tasks of a key, or of none, due so long ago. */
    async add(count: number, { fairKey, type = "t", ago = 0 }: { fairKey?: string; type?: string; ago?: number }) {
      const dueAt = t.clock.now() - ago;
      const tasks = Array.from({ length: count }, () =>
        t.task({ type, dueAt, ...(fairKey === undefined ? {} : { fairKey }) }),
      );
      for (const { id } of tasks) whose.set(id, fairKey ?? type);
      await t.insert(tasks);
    },
  };
}

async function runUntil(t: World, starts: number): Promise<void> {
  for (let waited = 0; t.started.length < starts && waited < starts * 100; waited += 10) await t.clock.advance(10);
  expect(t.started.length).toBeGreaterThanOrEqual(starts);
}

const countOf = (started: readonly string[], key: string) => started.filter((one) => one === key).length;

describe.each<[kind: string, settings: QueueSettings]>([
  ["free", {}],
  ["limited", { concurrency: 2 }],
])("in a %s queue", (_, settings) => {
  test("ten tasks of one key start beside a thousand of another that were due before", async () => {
    const t = await world({ keys: ["big", "small"], settings });
    await t.add(1_000, { fairKey: "big", ago: 60_000 });
    await t.add(10, { fairKey: "small" });
    await runUntil(t, 25);
    expect(countOf(t.started.slice(0, 25), "small")).toBe(10);
  });

  test("a heavier key has more by its weight", async () => {
    const t = await world({ keys: ["heavy", "light"], settings: { ...settings, fairWeights: { heavy: 3 } } });
    await t.add(400, { fairKey: "light", ago: 60_000 });
    await t.add(400, { fairKey: "heavy" });
    await runUntil(t, 200);
    const heavy = countOf(t.started.slice(0, 200), "heavy");
    expect(heavy).toBeGreaterThanOrEqual(135);
    expect(heavy).toBeLessThanOrEqual(165);
  });

  test("a key that did nothing for a while has no more than its share when it comes back", async () => {
    const t = await world({ keys: ["busy", "late"], settings });
    await t.add(300, { fairKey: "busy", ago: 60_000 });
    await runUntil(t, 100);
    const before = t.started.length;
    await t.add(100, { fairKey: "late", ago: 60_000 });
    await runUntil(t, before + 60);
    const late = countOf(t.started.slice(before, before + 60), "late");
    expect(late).toBeGreaterThanOrEqual(24);
    expect(late).toBeLessThanOrEqual(36);
  });

  test("tasks without a key are one key among the others", async () => {
    const t = await world({ keys: ["a"], settings });
    await t.add(200, { ago: 60_000 });
    await t.add(200, { fairKey: "a" });
    await runUntil(t, 60);
    const keyed = countOf(t.started.slice(0, 60), "a");
    expect(keyed).toBeGreaterThanOrEqual(24);
    expect(keyed).toBeLessThanOrEqual(36);
  });
});

test("fifty keys of one type leave another type its half", async () => {
  const keys = Array.from({ length: 50 }, (_, index) => `k-${index}`);
  const t = await world({ keys, settings: {}, types: ["t", "other"] });
  for (const fairKey of keys) await t.add(5, { fairKey, ago: 60_000 });
  await t.add(200, { type: "other" });
  await runUntil(t, 100);
  const other = countOf(t.started.slice(0, 100), "other");
  expect(other).toBeGreaterThanOrEqual(42);
  expect(other).toBeLessThanOrEqual(58);
});

test("two nodes that share a limited queue are fair together", async () => {
  const t = await world({ keys: ["big", "small"], settings: { concurrency: 2 } });
  const { engine } = await t.startNode("node-2");
  t.join({ engine, name: "w-2" });
  await t.clock.advance(1_100);
  await t.add(400, { fairKey: "big", ago: 60_000 });
  await t.add(10, { fairKey: "small" });
  await runUntil(t, 40);
  expect(countOf(t.started.slice(0, 40), "small")).toBe(10);
});
