import type { Id } from "@carillon/core";
import type { BackfillPage, OperationPage, OperationRecord } from "@carillon/store";
import { expect } from "vitest";
import { final, type Promises, type World } from "./world.ts";

const MINUTE = 60_000;
const MOST = 100;

export const operations: Promises = {
  "a backfill makes a task for each fire that has none, once, and counts": async (t) => {
    const schedule = await put(t);
    await t.store.planSchedules({ before: t.now + 1, limit: 10, now: t.now }, () => ({
      fires: [
        { fireAt: t.now - 3 * MINUTE, outcome: "missed", reason: "no_node", caughtUp: false, task: null },
        { fireAt: t.now - 2 * MINUTE, ...asTask, task: fireTask(t, schedule, t.now - 2 * MINUTE, "schedule") },
      ],
      plannedUntil: t.now + MINUTE,
      nextFireAt: null,
    }));
    const { id } = await begin(t, schedule, 4);
    const made = await step(t, page(t, schedule, [4, 3, 2], { cursor: "there" }));
    expect(made).toMatchObject({ running: 1, tasks: [{ fireAt: t.now - 4 * MINUTE }, { fireAt: t.now - 3 * MINUTE }] });
    expect(await t.store.getOperation(t.namespace, id)).toMatchObject({
      state: "running",
      scheduleName: "nightly",
      cursor: "there",
      matched: 4,
      done: 2,
      skipped: 1,
      failed: 0,
      finishedAt: null,
    });
    const row = { outcome: "task", reason: null, caughtUp: false };
    expect(await fires(t, schedule)).toMatchObject([
      { ...row, backfilled: true, version: 7 },
      { ...row, backfilled: true, version: 7 },
      { ...row, backfilled: false, version: 1 },
    ]);
    expect(await step(t, page(t, schedule, [3, 1], { finished: true }))).toMatchObject({ running: 0, tasks: [{}] });
    expect(await t.store.getOperation(t.namespace, id)).toMatchObject({
      state: "done",
      done: 3,
      skipped: 2,
      finishedAt: t.now,
    });
    expect(await step(t, never)).toEqual({ running: 0, tasks: [] });
    expect(await t.store.getSchedule(t.namespace, "nightly", t.now)).toMatchObject({ fires: 1 });
  },
  "nodes that step at the same moment make each page once": async (t) => {
    const schedule = await put(t);
    await begin(t, schedule, 2);
    const steps = await Promise.all([1, 2, 3].map(() => step(t, page(t, schedule, [2, 1], { finished: true }))));
    expect(steps.flatMap(({ tasks }) => tasks)).toHaveLength(2);
    expect(await t.claim()).toHaveLength(2);
  },
  "a backfill is told how many of its schedule's tasks are due and not final, and may be left to others": async (t) => {
    const schedule = await put(t);
    const told: number[] = [];
    const left = (_: OperationRecord, waiting: number) => {
      told.push(waiting);
      return null;
    };
    const { id } = await begin(t, schedule, 9);
    expect(await step(t, left)).toEqual({ running: 1, tasks: [] });
    await step(t, page(t, schedule, [5, 4, 3]));
    await step(t, left);
    const [first, second] = await t.claim();
    await t.record(first!, final("succeeded"));
    await t.record(second!, { kind: "again", as: "failed", dueAt: t.now + MINUTE, error: null });
    await step(t, left);
    expect(told).toEqual([0, 3, 1]);
    expect(await t.store.getOperation(t.namespace, id)).toMatchObject({ done: 3 });
  },
  "a cancelled backfill makes no more tasks; what it made stays": async (t) => {
    const schedule = await put(t);
    const { id } = await begin(t, schedule, 5);
    await step(t, page(t, schedule, [5]));
    const cancel = () => t.store.cancelOperation(t.namespace, id, t.now);
    expect(await cancel()).toMatchObject({
      kind: "done",
      operation: { state: "cancelled", done: 1, finishedAt: t.now },
    });
    expect(await cancel()).toMatchObject({ kind: "final", operation: { state: "cancelled" } });
    expect(await step(t, never)).toEqual({ running: 0, tasks: [] });
    expect(await t.store.cancelOperation("other", id, t.now)).toEqual({ kind: "not_found" });
    expect(await t.store.getOperation("other", id)).toBeNull();
    await t.store.setPaused(t.namespace, "nightly", { paused: true, reason: null, now: t.now });
    expect(await t.claim()).toHaveLength(1);
  },
  "a backfill of a deleted schedule is cancelled": async (t) => {
    const { id } = await begin(t, await put(t), 5);
    await t.store.deleteSchedule(t.namespace, "nightly", t.now);
    expect(await step(t, never)).toEqual({ running: 0, tasks: [] });
    expect(await t.store.getOperation(t.namespace, id)).toMatchObject({ state: "cancelled", scheduleName: "nightly" });
  },
  "operations are listed newest first, begun once under their id, and forgotten when they are old": async (t) => {
    const schedule = await put(t);
    const ids: Id[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await begin(t, schedule, n)).id);
    await begin(t, schedule, 99, ids[0]);
    const first = await t.store.listOperations(t.namespace, { pageSize: 2, after: null });
    expect(first.items.map(({ id, matched }) => [id, matched])).toEqual([
      [ids[0], 2],
      [ids[1], 1],
    ]);
    const second = await t.store.listOperations(t.namespace, { pageSize: 2, after: first.next });
    expect(second).toMatchObject({ items: [{ id: ids[2] }], next: null });
    await t.store.cancelOperation(t.namespace, ids[1]!, t.now);
    t.now += 2 * 86_400_000;
    await t.store.maintain({ now: t.now, retentionMs: 86_400_000, logRetentionMs: 86_400_000 });
    const left = await t.store.listOperations(t.namespace, { pageSize: 10, after: null });
    expect(left.items.map(({ id }) => id)).toEqual([ids[0], ids[2]]);
  },
  "a page of an operation is one node's until it has counted it, or has had it for too long": async (t) => {
    const begun = { namespace: t.namespace, kind: "bulk", scheduleId: null, request: "{}", matched: 3 } as const;
    const { id } = await t.store.createOperation({ ...begun, id: t.newTask().id }, t.now);
    const take = () => t.store.takeOperations({ kind: "bulk", now: t.now, until: t.now + 60_000, limit: 5 });
    const move = (from: string | null, cursor: string, more: Partial<OperationPage> = {}) =>
      t.store.moveOperation(id, { from, cursor, done: 2, skipped: 1, failed: 0, finished: false, ...more }, t.now);
    const read = () => t.store.getOperation(t.namespace, id);
    const taken = await Promise.all([take(), take(), take()]);
    expect(taken.flat()).toMatchObject([{ id, cursor: null, request: "{}", scheduleName: null }]);
    expect(await step(t, never)).toEqual({ running: 0, tasks: [] });
    t.now += 60_000;
    expect(await take()).toMatchObject([{ id, cursor: null }]);
    // Both may have done the page; it counts once.
    expect(await Promise.all([move(null, "7"), move(null, "7")])).toEqual(expect.arrayContaining([true, false]));
    expect(await take()).toMatchObject([{ id, cursor: "7" }]);
    expect(await move("7", "5", { failed: 1 })).toBe(true);
    expect(await read()).toMatchObject({ state: "running", matched: 7, done: 4, skipped: 2, failed: 1 });
    expect(await move("5", "5", { done: 0, skipped: 0, finished: true })).toBe(false);
    expect(await move("5", "5", { finished: true })).toBe(false);
    expect(await read()).toMatchObject({ state: "done", matched: 7, done: 4, finishedAt: t.now });
    expect(await take()).toEqual([]);
  },
  "what was under way when an operation was cancelled is counted, and nothing follows": async (t) => {
    const begun = { namespace: t.namespace, kind: "bulk", scheduleId: null, request: "{}", matched: 9 } as const;
    const { id } = await t.store.createOperation({ ...begun, id: t.newTask().id }, t.now);
    const take = () => t.store.takeOperations({ kind: "bulk", now: t.now, until: t.now + 1, limit: 5 });
    await take();
    await t.store.cancelOperation(t.namespace, id, t.now);
    const page = { from: null, cursor: "7", done: 2, skipped: 0, failed: 0, finished: false };
    expect(await t.store.moveOperation(id, page, t.now + 5)).toBe(false);
    expect(await t.store.getOperation(t.namespace, id)).toMatchObject({
      state: "cancelled",
      done: 2,
      finishedAt: t.now,
    });
    t.now += 60_000;
    expect(await take()).toEqual([]);
  },
  "the ledger remembers a backfilled fire, however old, as long after as any other": async (t) => {
    const schedule = await put(t);
    await begin(t, schedule, 1);
    const YEAR = 365 * 1_440;
    await step(t, page(t, schedule, [YEAR], { finished: true }));
    const kept = async () =>
      (await t.store.listFires(schedule, { from: 0, to: t.now, pageSize: 9, after: null })).items.length;
    const maintain = () => t.store.maintain({ now: t.now, retentionMs: 86_400_000, logRetentionMs: 86_400_000 });
    await maintain();
    expect(await kept()).toBe(1);
    t.now += 5 * 86_400_000;
    await maintain();
    expect(await kept()).toBe(0);
  },
};

const asTask = { outcome: "task", reason: null, caughtUp: false } as const;

async function put(t: World): Promise<Id> {
  const answer = await t.store.putSchedule({
    id: t.newTask().id,
    namespace: t.namespace,
    name: "nightly",
    definition: {
      rule: {
        cron: null,
        every: "1m",
        timeZone: "UTC",
        dialect: "vixie",
        dst: { gap: "next", overlap: "first" },
        jitter: null,
        startAt: null,
        endAt: null,
        maxFires: null,
      },
      catchUp: { policy: "last", windowMs: 1, limit: 1 },
      overlap: "allow",
      task: { type: "work", payload: null, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] },
    },
    now: t.now,
    nextFireAt: null,
  });
  return (answer as { schedule: { id: Id } }).schedule.id;
}

function begin(t: World, scheduleId: Id, matched: number, id = t.newTask().id): Promise<OperationRecord> {
  const { namespace } = t;
  return t.store.createOperation({ id, namespace, kind: "backfill", scheduleId, request: "{}", matched }, t.now);
}

const step = (t: World, plan: (operation: OperationRecord, waiting: number) => BackfillPage | null) =>
  t.store.stepBackfills({ now: t.now, limit: 10, most: MOST }, plan);

const never = (): BackfillPage => {
  throw new Error("asked about an operation that has ended");
};

/** Fires so many minutes ago. */
function page(t: World, schedule: Id, minutes: number[], more: { cursor?: string; finished?: boolean } = {}) {
  return (): BackfillPage => ({
    fires: minutes.map((ago) => {
      const fireAt = t.now - ago * MINUTE;
      return { fireAt, version: 7, task: fireTask(t, schedule, fireAt, "backfill") };
    }),
    cursor: null,
    finished: false,
    nextAt: t.now,
    ...more,
  });
}

const fireTask = (t: World, scheduleId: Id, fireAt: number, trigger: "schedule" | "backfill") =>
  t.newTask({ scheduleId, fireAt, trigger });

async function fires(t: World, schedule: Id) {
  const range = { from: t.now - 60 * MINUTE, to: t.now + 60 * MINUTE };
  return (await t.store.listFires(schedule, { ...range, pageSize: 100, after: null })).items;
}
