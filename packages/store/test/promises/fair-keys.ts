import { FAIR_PARTS, type FairTurns, fairPart } from "@carillon/core";
import type { QueueSettings } from "@carillon/store";
import { expect } from "vitest";
import { final, type Promises, type World } from "./world.ts";

const ours = async (t: World) => (await t.store.lanes()).filter(({ namespace }) => namespace === t.namespace);

const limit = (t: World, settings: QueueSettings) =>
  t.store.putQueue({ namespace: t.namespace, name: "default", settings, now: t.now });

/** So many of each, those of a key all due before those of the next one. */
async function createOf(t: World, counts: Record<string, number>, more: { concurrencyKey?: string } = {}) {
  const keys = Object.keys(counts);
  const tasks = keys.flatMap((fairKey, index) =>
    Array.from({ length: counts[fairKey]! }, (_, n) =>
      t.newTask({ fairKey, dueAt: t.now - 10_000 * (keys.length - index) + n, ...more }),
    ),
  );
  await t.store.createTasks(tasks, { now: t.now });
  return new Map(tasks.map(({ id, fairKey }) => [id, fairKey!]));
}

/** Whose tasks start when one call after the other takes up to `limit`, and each ends before the next. */
async function startsOf(t: World, whose: ReadonlyMap<bigint, string>, calls: number, limit = 1): Promise<string> {
  const starts: string[] = [];
  let turns: FairTurns | null = null;
  for (let call = 0; call < calls; call++) {
    const answer = await t.claimLimited({ limit, turns });
    turns = answer.turns ?? turns;
    for (const task of answer.claimed) {
      starts.push(whose.get(task.id)!);
      await t.record(task, final("succeeded"));
    }
  }
  return starts.join(" ");
}

export const fairKeys: Promises = {
  "tasks of a key are in a lane of their own, which a claim of another one does not touch": async (t) => {
    await t.create();
    const ada = await t.create({ fairKey: "ada" });
    const bob = await t.create({ fairKey: "bob" });
    await t.create({ fairKey: "ada" });
    const lanes = await ours(t);
    expect(lanes.map(({ fair }) => fair)).toEqual([undefined, fairPart("ada"), fairPart("bob")]);
    const claimed = await t.store.claim({
      ...{ session: t.session, until: t.now, limit: 10, now: t.now },
      targets: [{ laneId: lanes[1]!.id, band: 2, limit: 1 }],
    });
    expect(claimed).toMatchObject([{ id: ada.id, lane: { fair: fairPart("ada") } }]);
    expect(await t.store.nextDue([lanes[2]!.id])).toEqual([{ laneId: lanes[2]!.id, band: 2, dueAt: bob.dueAt }]);
    expect(await t.task(ada.id)).toMatchObject({ fairKey: "ada", concurrencyKey: null });
    expect(await t.task((await t.create()).id)).toMatchObject({ fairKey: null });
  },
  "a task keeps its key in another queue, beside labels, and when it is tried again": async (t) => {
    const { id } = await t.create({ fairKey: "ada", requires: { region: "eu" }, concurrencyKey: "c" });
    await t.store.patchTask(t.namespace, id, { queue: "slow" }, t.now);
    const fair = fairPart("ada");
    expect(await ours(t)).toMatchObject([
      { queue: "default", fair, requires: { region: "eu" } },
      { queue: "slow", fair, requires: { region: "eu" } },
    ]);
    await t.store.cancelTask(t.namespace, id, { reason: null, now: t.now });
    await t.store.retryTask(t.namespace, id, t.now);
    expect(await t.task(id)).toMatchObject({ queue: "slow", fairKey: "ada", concurrencyKey: "c" });
    expect(await t.claim({ queue: "slow" })).toMatchObject([{ id, lane: { fair } }]);
  },
  "however many keys there are, a type has no more lanes than parts": async (t) => {
    const tasks = Array.from({ length: 1_000 }, (_, index) => t.newTask({ fairKey: `customer-${index}` }));
    await t.store.createTasks(tasks, { now: t.now });
    const lanes = await ours(t);
    expect(lanes.length).toBeLessThanOrEqual(FAIR_PARTS);
    expect(new Set(lanes.map(({ fair }) => fair)).size).toBe(lanes.length);
    expect(await t.task(tasks[700]!.id)).toMatchObject({ fairKey: "customer-700" });
  },
  "what waits for another task keeps its key, and is in its lane": async (t) => {
    const parent = await t.create();
    const child = await t.create({ fairKey: "ada", after: [parent.id], when: "all" });
    expect(await t.task(child.id)).toMatchObject({ state: "blocked", fairKey: "ada", after: [parent.id] });
    expect((await ours(t)).map(({ fair = 0 }) => fair)).toEqual([0, fairPart("ada")]);
  },
  "keys of a limited queue take turns, however long one of them has waited": async (t) => {
    await limit(t, { concurrency: 1 });
    const whose = await createOf(t, { ada: 5, bob: 3, cyd: 1 });
    expect(await startsOf(t, whose, 9)).toBe("ada bob cyd ada bob ada bob ada ada");
  },
  "they also do within one claim, beside tasks without a key, which keep their own order": async (t) => {
    await limit(t, { concurrency: 100 });
    const whose = await createOf(t, { ada: 40, bob: 40 });
    const plain = [t.newTask({ dueAt: t.now - 1 }), t.newTask({ dueAt: t.now - 2, type: "other" })];
    await t.store.createTasks(plain, { now: t.now });
    const { claimed, turns } = await t.claimLimited({ limit: 6 });
    const starts = claimed.map(({ id }) => whose.get(id) ?? "none").sort();
    expect(starts).toEqual(["ada", "ada", "bob", "bob", "none", "none"]);
    expect(turns).toEqual({ at: 1, had: new Map([fairPart("ada"), fairPart("bob"), 0].map((part) => [part, 2])) });
  },
  "a heavier key of a limited queue starts as often as it weighs": async (t) => {
    await limit(t, { concurrency: 1, fairWeights: { bob: 3 } });
    const whose = await createOf(t, { ada: 8, bob: 8 });
    expect(await startsOf(t, whose, 8)).toBe("ada bob bob bob ada bob bob bob");
  },
  "a key that did nothing meanwhile is owed nothing": async (t) => {
    await limit(t, { concurrency: 1 });
    const whose = await createOf(t, { ada: 8 });
    let turns: FairTurns | null = null;
    for (let call = 0; call < 4; call++) {
      const answer = await t.claimLimited({ limit: 1, turns });
      turns = answer.turns;
      await t.record(answer.claimed[0]!, final("succeeded"));
    }
    t.now += 60_000;
    for (const [id, key] of await createOf(t, { bob: 4 })) whose.set(id, key);
    const starts: string[] = [];
    for (let call = 0; call < 6; call++) {
      const answer = await t.claimLimited({ limit: 1, turns });
      turns = answer.turns;
      starts.push(whose.get(answer.claimed[0]!.id)!);
      await t.record(answer.claimed[0]!, final("succeeded"));
    }
    expect(starts.join(" ")).toBe("bob ada bob ada bob ada");
  },
  "what waits for its concurrency key costs its fair key no turn": async (t) => {
    await limit(t, { concurrency: 3, concurrencyPerKey: 1 });
    const whose = await createOf(t, { ada: 6 }, { concurrencyKey: "c" });
    for (const [id, key] of await createOf(t, { bob: 4 })) whose.set(id, key);
    const first = await t.claimLimited({ limit: 3 });
    expect(first.claimed.map(({ id }) => whose.get(id)).sort()).toEqual(["ada", "bob", "bob"]);
    await t.record(first.claimed.find(({ id }) => whose.get(id) === "ada")!, final("succeeded"));
    const next = await t.claimLimited({ limit: 1, keys: ["c"], turns: first.turns });
    expect(next.claimed.map(({ id }) => whose.get(id))).toEqual(["ada"]);
  },
  "without fair keys nobody has a turn": async (t) => {
    await limit(t, { concurrency: 5, fairWeights: { ada: 2 } });
    await t.create();
    expect((await t.claimLimited()).turns).toBeNull();
  },
  "weights are part of what is set on a queue, in whatever order, and make it no limited one": async (t) => {
    expect((await limit(t, { fairWeights: { bob: 2, ada: 3 } })).kind).toBe("created");
    expect((await limit(t, { fairWeights: { ada: 3, bob: 2 } })).kind).toBe("unchanged");
    const all = (await t.store.allQueues()).filter(({ namespace }) => namespace === t.namespace);
    expect(all).toMatchObject([{ mode: "free", settings: { fairWeights: { ada: 3, bob: 2 } } }]);
    await t.create({ fairKey: "ada" });
    expect(await t.claim()).toHaveLength(1);
    expect((await limit(t, {})).kind).toBe("changed");
  },
};
