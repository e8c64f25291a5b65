import { latenessBucketsMs, latenessPhases } from "@carillon/core";
import type { LatenessWindow } from "@carillon/store";
import { expect } from "vitest";
import { plan, put, schedule } from "./schedules.ts";
import { final, type Promises, type World } from "./world.ts";

const WINDOW_MS = 300_000;
const HOUR_MS = 3_600_000;

export const figures: Promises = {
  "what several nodes counted is summed by queue, within the windows asked for": async (t) => {
    const other = await t.openSession();
    const first = t.now - 2 * WINDOW_MS;
    await t.store.recordLateness(t.session, [window(t, { at: first, first: 5 }), window(t, { first: 2, maxMs: 3 })]);
    await t.store.recordLateness(other, [window(t, { first: 4, maxMs: 9 }), window(t, { queue: "mail", first: 1 })]);
    const [all, mail, ...more] = await t.store.lateness(t.namespace, { from: first, to: t.now + 1 });
    expect(all).toEqual({ queue: "default", counts: counts(11), maxMs: 9, phasesMs: phases(33) });
    expect(mail).toEqual({ queue: "mail", counts: counts(1), maxMs: 1, phasesMs: phases(3) });
    expect(more).toEqual([]);
    expect(await t.store.lateness(t.namespace, { from: first, to: t.now })).toMatchObject([{ counts: counts(5) }]);
    expect(await t.store.lateness("somebody else", { from: first, to: t.now + 1 })).toEqual([]);
  },
  "a window that is told again replaces what was told before": async (t) => {
    await t.store.recordLateness(t.session, [window(t, { first: 2, maxMs: 8 })]);
    await t.store.recordLateness(t.session, [window(t, { first: 7, maxMs: 9 })]);
    await t.store.recordLateness(t.session, [window(t, { first: 7, maxMs: 9 })]);
    expect(await t.store.lateness(t.namespace, { from: t.now, to: t.now + 1 })).toMatchObject([
      { counts: counts(7), maxMs: 9 },
    ]);
  },
  "lateness older than a day is forgotten": async (t) => {
    await t.store.recordLateness(t.session, [
      window(t, { at: t.now - 26 * HOUR_MS }),
      window(t, { at: t.now - 24 * HOUR_MS }),
    ]);
    await t.store.maintain({ now: t.now, retentionMs: 14 * 24 * HOUR_MS, logRetentionMs: 7 * 24 * HOUR_MS });
    expect(await t.store.lateness(t.namespace, { from: 0, to: t.now })).toMatchObject([{ counts: counts(1) }]);
  },
  "tasks made of late are counted by lane, the latest ones where they are too many": async (t) => {
    await t.create({ queue: "mail" });
    t.now += 10_000;
    for (let n = 0; n < 3; n++) await t.create({ queue: "mail" });
    const [claimed] = await t.claim({ queue: "mail", limit: 1 });
    await t.record(claimed!, final("succeeded"));
    await t.create();
    const created = async (cap: number, filter = {}) => {
      const { from, lanes } = await t.store.created({ from: t.now - 60_000, cap, namespace: t.namespace, ...filter });
      return [t.now - from, ...lanes.map(({ lane, count }) => `${lane.queue} ${count}`).sort()];
    };
    expect(await created(100)).toEqual([60_000, "default 1", "mail 4"]);
    expect(await created(100, { queue: "mail" })).toEqual([60_000, "mail 4"]);
    // The latest two that are not final; the one that is was made before them.
    expect(await created(2)).toEqual([0, "default 1", "mail 1"]);
    expect(await created(100, { namespace: "somebody else" })).toEqual([60_000]);
  },
  "a backlog is what is not final in a queue, waiting, held and due later alike, counted up to a cap": async (t) => {
    const count = async (cap: number, queue = "mail", namespace = t.namespace) =>
      (await t.store.countBacklogs([{ namespace, queue, cap }]))[0];
    expect(await count(10)).toBe(0);
    for (let n = 0; n < 3; n++) await t.create({ queue: "mail" });
    await t.create({ queue: "mail", type: "other", dueAt: t.now + HOUR_MS });
    await t.create();
    const [first, second] = await t.claim({ queue: "mail", limit: 2 });
    expect(await count(10)).toBe(4);
    await t.record(first!, final("succeeded"));
    await t.store.cancelTask(t.namespace, second!.id, { reason: null, now: t.now });
    expect(await count(10)).toBe(3);
    expect(await count(2)).toBe(2);
    expect(await count(10, "mail", "somebody else")).toBe(0);
    const both = [{ namespace: t.namespace, queue: "default", cap: 5 }];
    expect(await t.store.countBacklogs([...both, { ...both[0]!, queue: "none" }])).toEqual([1, 0]);
    expect(await t.store.countBacklogs([])).toEqual([]);
    // Of no queue in particular: of all.
    const all = async (cap: number) => (await t.store.countBacklogs([{ namespace: t.namespace, queue: null, cap }]))[0];
    expect([await all(10), await all(3)]).toEqual([4, 3]);
    // What waits for its key is there too.
    await t.store.putQueue({ namespace: t.namespace, name: "keyed", settings: { concurrencyPerKey: 1 }, now: t.now });
    for (let n = 0; n < 3; n++) await t.create({ queue: "keyed", concurrencyKey: "ada" });
    const mine = (await t.store.lanes()).filter(
      ({ namespace, queue }) => namespace === t.namespace && queue === "keyed",
    );
    const lanes = mine.map(({ id }) => id);
    const limited = { session: t.session, namespace: t.namespace, queue: "keyed", lanes, limit: 5, now: t.now };
    expect((await t.store.claimLimited({ ...limited, keys: [] })).claimed).toHaveLength(1);
    expect([await count(10, "keyed"), await count(2, "keyed")]).toEqual([3, 2]);
  },
  "what is kept under an idempotency key can be read without taking it, until it expires": async (t) => {
    const read = (key: string, now = t.now) => t.store.rememberedAnswer(t.namespace, key, now);
    expect(await read("k")).toBeNull();
    const idempotency = { namespace: t.namespace, key: "k", requestHash: "h", response: () => "told" };
    await t.create({}, { idempotency: { ...idempotency, expiresAt: t.now + HOUR_MS } });
    expect(await read("k")).toEqual({ requestHash: "h", response: "told" });
    expect(await read("k", t.now + HOUR_MS)).toBeNull();
    expect(await read("other")).toBeNull();
  },
  "what a node says about itself counts while it lives": async (t) => {
    const other = await t.openSession("node-2");
    const mine = async () => (await t.store.nodeFigures()).filter(({ node }) => node === "node-2");
    expect(await mine()).toEqual([{ node: "node-2", zoneData: null, workers: 0, pools: [], queues: [] }]);
    const queues = [{ namespace: t.namespace, queue: "mail", startedPerSecond: 1.5, finishedPerSecond: 1 }];
    const pools = [{ namespace: t.namespace, queues: ["q"], types: ["t"], workers: 2, slots: 20, busy: 1 }];
    await t.store.recordFigures(other, { workers: 2, pools, queues });
    expect(await mine()).toEqual([{ node: "node-2", zoneData: null, workers: 2, pools, queues }]);
    await t.store.closeSession(other, t.now);
    expect(await mine()).toEqual([]);
  },
  "the workers of a living node are those that it told of last, each namespace by itself": async (t) => {
    const other = await t.openSession("node-3");
    const worker = {
      name: "w-1",
      namespace: t.namespace,
      version: "1",
      queues: ["q"],
      types: ["a", "b"],
      labels: { region: "eu" },
      slots: 10,
      busy: 2,
      connectedAt: t.now,
    };
    const foreign = { ...worker, namespace: `${t.namespace}-2`, name: "w-9" };
    await t.store.recordWorkers(other, [worker, foreign]);
    await t.store.recordWorkers(other, [worker, { ...worker, name: "w-2", types: ["a"] }, foreign]);
    expect(await t.store.connectedWorkers(t.namespace)).toEqual([
      { ...worker, session: other, node: "node-3" },
      { ...worker, name: "w-2", types: ["a"], session: other, node: "node-3" },
    ]);
    await t.store.closeSession(other, t.now);
    await t.store.recordWorkers(other, [worker]);
    expect(await t.store.connectedWorkers(t.namespace)).toEqual([]);
  },
  "the latest fires of a range come first, each with its task's times": async (t) => {
    await put(t);
    await plan(t, [-30, -20, -10]);
    const claimed = await t.claim();
    const [oldest] = claimed.sort((a, b) => a.dueAt - b.dueAt);
    await t.record(oldest!, final("succeeded"), { startedAt: t.now, finishedAt: t.now + 250 });
    const { id } = (await schedule(t))!;
    const range = { from: t.now - 30_000, to: t.now - 10_000, limit: 10 };
    expect(await t.store.latestFires(id, range)).toMatchObject([
      { fireAt: t.now - 20_000, outcome: "task", task: { state: "claimed", startedAt: null, finishedAt: null } },
      {
        fireAt: t.now - 30_000,
        outcome: "task",
        task: { id: oldest!.id, state: "succeeded", startedAt: t.now, finishedAt: t.now + 250 },
      },
    ]);
    expect(await t.store.latestFires(id, { ...range, limit: 1 })).toMatchObject([{ fireAt: t.now - 20_000 }]);
  },
};

const counts = (first: number): number[] => [first, ...Array<number>(latenessBucketsMs.length).fill(0)];
const phases = (first: number): number[] => [first, ...Array<number>(latenessPhases.length - 1).fill(0)];

function window(
  { namespace, now }: World,
  {
    at = now,
    queue = "default",
    first = 1,
    maxMs = 1,
  }: { at?: number; queue?: string; first?: number; maxMs?: number },
): LatenessWindow {
  return { namespace, queue, at, counts: counts(first), maxMs, phasesMs: phases(3 * first) };
}
