import type { QueueSettings } from "@carillon/store";
import { expect } from "vitest";
import { fires, plan, put, schedule } from "./schedules.ts";
import { again, final, type Promises, type World } from "./world.ts";

const limit = (t: World, settings: QueueSettings) =>
  t.store.putQueue({ namespace: t.namespace, name: "default", settings, now: t.now });

const idsOf = (tasks: readonly { id: bigint }[]) => tasks.map(({ id }) => id);

const lanesOf = async (t: World) =>
  (await t.store.lanes()).filter(({ namespace }) => namespace === t.namespace).map(({ id }) => id);

async function createSome(t: World, count: number, of: { concurrencyKey?: string } = {}): Promise<bigint[]> {
  const tasks = Array.from({ length: count }, (_, index) => t.newTask({ dueAt: t.now - count + index, ...of }));
  await t.store.createTasks(tasks, { now: t.now });
  return idsOf(tasks);
}

export const limits: Promises = {
  "a queue that has no limits is not claimed this way": async (t) => {
    await t.create();
    expect(await t.claimLimited()).toMatchObject({ mode: "free", claimed: [] });
  },
  "as many run as there are slots, the earliest due first, and an end frees one": async (t) => {
    await limit(t, { concurrency: 2 });
    const [first, second, third] = await createSome(t, 3);
    expect(await t.claim()).toEqual([]);
    const answer = await t.claimLimited();
    expect(idsOf(answer.claimed)).toEqual([first, second]);
    expect(answer).toMatchObject({ full: true, more: false, nextDue: [{ band: 2, dueAt: t.now - 1 }] });
    expect(await t.claimLimited()).toMatchObject({ claimed: [], full: true });
    await t.record(answer.claimed[0]!, final("succeeded"));
    expect(idsOf((await t.claimLimited()).claimed)).toEqual([third]);
  },
  "a retry, a give-back and the death of a node free a slot": async (t) => {
    await limit(t, { concurrency: 1 });
    const other = await t.openSession();
    await createSome(t, 2);
    const [one] = (await t.claimLimited()).claimed;
    await t.record(one!, again(t.now + 60_000));
    const [two] = (await t.claimLimited()).claimed;
    expect(await t.store.giveBack(t.session, [two!])).toEqual([two!.id]);
    const [three] = (await t.claimLimited({ session: other })).claimed;
    expect(three!.id).toBe(two!.id);
    expect((await t.claimLimited()).full).toBe(true);
    await t.die(other);
    expect((await t.claimLimited()).full).toBe(true);
    expect(await t.store.takeBack(other, { now: t.now, limit: 10 })).toBe(1);
    expect(idsOf((await t.claimLimited()).claimed)).toEqual([two!.id]);
  },
  "of a type with slots of its own only so many run, and others go past what waits for them": async (t) => {
    await limit(t, { concurrencyPerType: { work: 1, unknown: 1 } });
    const [first, second] = await createSome(t, 3);
    const { id: other } = await t.create({ type: "other", dueAt: t.now });
    const answer = await t.claimLimited();
    expect(idsOf(answer.claimed)).toEqual([first, other]);
    // What waits for its type is no work for anybody before one of it has ended.
    expect(await t.claimLimited()).toMatchObject({ claimed: [], more: false, nextDue: [] });
    const facts = { concurrencyKey: null, type: "work", now: t.now, limit: 10 };
    expect((await t.store.limitFacts(t.namespace, "default", facts)).typeHeld).toEqual([first]);
    await t.record(answer.claimed[0]!, final("succeeded"));
    expect(idsOf((await t.claimLimited()).claimed)).toEqual([second]);
  },
  "nothing is claimed before it is due, and no session that is dead claims": async (t) => {
    await limit(t, { concurrency: 5 });
    const { id } = await t.create({ dueAt: t.now + 100 });
    expect(await t.claimLimited()).toMatchObject({ claimed: [], full: false, nextDue: [{ dueAt: t.now + 100 }] });
    t.now += 100;
    const other = await t.openSession();
    await t.die(other);
    expect((await t.claimLimited({ session: other })).claimed).toEqual([]);
    expect(idsOf((await t.claimLimited()).claimed)).toEqual([id]);
  },
  "no task is inserted as claimed into a limited queue": async (t) => {
    await limit(t, { concurrency: 5 });
    const { answer } = await t.create({}, { claim: { session: t.session, count: 1 } });
    expect(answer).toMatchObject({ kind: "created", claimed: [] });
    expect((await t.claimLimited()).claimed).toHaveLength(1);
  },
  "what ran when the limit came counts, and a lower limit lets it run out": async (t) => {
    await createSome(t, 4);
    const running = await t.claim({ limit: 3 });
    await limit(t, { concurrency: 2 });
    expect(await t.claimLimited()).toMatchObject({ claimed: [], full: true });
    for (const task of running.slice(0, 1)) await t.record(task, final("succeeded"));
    expect((await t.claimLimited()).claimed).toEqual([]);
    await t.record(running[1]!, final("succeeded"));
    expect((await t.claimLimited()).claimed).toHaveLength(1);
    await limit(t, { concurrency: 1 });
    expect((await t.claimLimited()).full).toBe(true);
  },
  "without limits again everybody claims": async (t) => {
    await limit(t, { concurrency: 1 });
    await createSome(t, 3);
    await limit(t, { maxBacklog: 100 });
    expect(await t.claim()).toHaveLength(3);
  },
  "of one key only so many run, and others go past those that wait": async (t) => {
    await limit(t, { concurrencyPerKey: 1 });
    const [a1, a2, a3] = await createSome(t, 3, { concurrencyKey: "a" });
    const [b1] = await createSome(t, 1, { concurrencyKey: "b" });
    const [free] = await createSome(t, 1);
    const { claimed } = await t.claimLimited();
    expect(idsOf(claimed).sort()).toEqual([a1, b1, free].sort());
    expect(claimed.map(({ concurrencyKey }) => concurrencyKey).sort()).toEqual(["a", "b", null]);
    expect(await t.task(a2!)).toMatchObject({ state: "waiting", reason: "key_limit", concurrencyKey: "a" });
    expect(await t.claimLimited()).toMatchObject({ claimed: [], more: false, nextDue: [] });
    expect(await t.store.waitingForKeys(await lanesOf(t))).toMatchObject([{ tokenAt: null }]);
    await t.record(claimed.find(({ id }) => id === a1)!, final("succeeded"));
    const next = await t.claimLimited({ keys: ["a"] });
    expect(idsOf(next.claimed)).toEqual([a2]);
    expect(await t.task(a2!)).toMatchObject({ state: "claimed", reason: null });
    await t.record(next.claimed[0]!, final("succeeded"));
    // Nobody said so: a sweep finds it.
    expect((await t.claimLimited()).claimed).toEqual([]);
    expect(idsOf((await t.claimLimited({ sweepAfter: "" })).claimed)).toEqual([a3]);
  },
  "of one key the earliest due runs first, also before those that wait longer but are due later": async (t) => {
    await limit(t, { concurrencyPerKey: 1 });
    const first = await t.create({ dueAt: t.now - 10, concurrencyKey: "a" });
    const late = await t.create({ dueAt: t.now - 1, concurrencyKey: "a" });
    const [one] = (await t.claimLimited()).claimed;
    expect(one!.id).toBe(first.id);
    const early = await t.create({ dueAt: t.now - 5, concurrencyKey: "a" });
    await t.record(one!, final("succeeded"));
    const [two] = (await t.claimLimited()).claimed;
    expect(two!.id).toBe(early.id);
    await t.record(two!, final("succeeded"));
    expect(idsOf((await t.claimLimited({ keys: ["a"] })).claimed)).toEqual([late.id]);
  },
  "an urgent task goes first, as long as nothing waits for a minute more": async (t) => {
    await limit(t, { concurrency: 1 });
    const idle = await t.create({ priority: 9, dueAt: t.now - 120_001 });
    const urgent = await t.create({ priority: 1, dueAt: t.now });
    const usual = await t.create({ priority: 5, dueAt: t.now - 59_999 });
    const order: bigint[] = [];
    for (let count = 0; count < 3; count++) {
      const [task] = (await t.claimLimited()).claimed;
      order.push(task!.id);
      await t.record(task!, final("succeeded"));
    }
    expect(order).toEqual([idle.id, urgent.id, usual.id]);
  },
  "a full queue puts nothing aside": async (t) => {
    await limit(t, { concurrency: 1, concurrencyPerKey: 1 });
    await createSome(t, 3, { concurrencyKey: "a" });
    expect((await t.claimLimited()).claimed).toHaveLength(1);
    const { items } = await t.store.listTasks(t.namespace, {
      filter: { states: ["waiting"] },
      now: t.now,
      pageSize: 10,
      after: null,
    });
    expect(items).toEqual([]);
  },
  "tasks that wait for a key are cancelled, changed and skipped like any other": async (t) => {
    await limit(t, { concurrencyPerKey: 1 });
    const [, second, third, fourth] = await createSome(t, 4, { concurrencyKey: "a" });
    await t.claimLimited();
    expect(await t.store.cancelTask(t.namespace, second!, { reason: null, now: t.now })).toMatchObject({
      kind: "done",
      task: { state: "cancelled" },
    });
    await t.store.patchTask(t.namespace, third!, { dueAt: t.now + 1_000 }, t.now);
    expect(await t.task(third!)).toMatchObject({ state: "pending", reason: null, dueAt: t.now + 1_000 });
    await t.store.patchTask(t.namespace, fourth!, { queue: "elsewhere" }, t.now);
    expect(idsOf(await t.claim({ queue: "elsewhere" }))).toEqual([fourth]);
  },
  "a key that nothing waits for any more is waited for anew": async (t) => {
    await limit(t, { concurrencyPerKey: 1 });
    await createSome(t, 2, { concurrencyKey: "a" });
    const [first] = (await t.claimLimited()).claimed;
    await t.record(first!, final("succeeded"));
    const [second] = (await t.claimLimited({ keys: ["a"] })).claimed;
    const [third] = await createSome(t, 1, { concurrencyKey: "a" });
    expect((await t.claimLimited({ keys: ["a"] })).claimed).toEqual([]);
    expect(await t.task(third!)).toMatchObject({ state: "waiting" });
    await t.record(second!, final("succeeded"));
    expect(idsOf((await t.claimLimited({ sweepAfter: "" })).claimed)).toEqual([third]);
  },
  "without a limit by key those that wait for one run, and then everybody claims": async (t) => {
    await limit(t, { concurrencyPerKey: 1 });
    const ids = await createSome(t, 3, { concurrencyKey: "a" });
    const [first] = (await t.claimLimited()).claimed;
    await limit(t, {});
    expect((await t.store.allQueues()).find(({ namespace }) => namespace === t.namespace)!.mode).toBe("limited");
    const answer = await t.claimLimited({ sweepAfter: "" });
    expect([first!.id, ...idsOf(answer.claimed)]).toEqual(ids);
    expect(await t.claimLimited({ sweepAfter: "" })).toMatchObject({ claimed: [] });
    expect(await t.claimLimited()).toMatchObject({ mode: "free" });
    await t.create();
    expect(await t.claim()).toHaveLength(1);
  },
  "as many start as there are tokens, and the next one's instant is known": async (t) => {
    await limit(t, { rateLimit: { limit: 2, perMs: 1_000, burst: 3 } });
    await createSome(t, 5);
    expect(await t.claimLimited()).toMatchObject({ claimed: [{}, {}, {}], full: false, tokenAt: t.now + 500 });
    expect(await t.claimLimited()).toMatchObject({ claimed: [], tokenAt: t.now + 500 });
    t.now += 499;
    expect((await t.claimLimited()).claimed).toEqual([]);
    t.now += 1;
    expect(await t.claimLimited()).toMatchObject({ claimed: [{}], tokenAt: t.now + 500 });
    t.now += 60_000;
    expect(await t.claimLimited()).toMatchObject({ claimed: [{}], tokenAt: null });
  },
  "a changed rate keeps the tokens that were left": async (t) => {
    await limit(t, { rateLimit: { limit: 1, perMs: 1_000, burst: 3 } });
    await createSome(t, 5);
    expect((await t.claimLimited({ limit: 2 })).claimed).toHaveLength(2);
    await limit(t, { rateLimit: { limit: 1, perMs: 10_000, burst: 5 } });
    expect(await t.claimLimited()).toMatchObject({ claimed: [{}], tokenAt: t.now + 10_000 });
  },
  "each key has tokens of its own, and its tasks are found again when one comes": async (t) => {
    await limit(t, { rateLimitPerKey: { limit: 1, perMs: 1_000, burst: 2 } });
    const a = await createSome(t, 4, { concurrencyKey: "a" });
    const b = await createSome(t, 1, { concurrencyKey: "b" });
    const first = await t.claimLimited();
    expect(idsOf(first.claimed).sort()).toEqual([a[0], a[1], b[0]].sort());
    expect(first).toMatchObject({ keysAt: t.now + 1_000, tokenAt: null });
    expect(await t.task(a[2]!)).toMatchObject({ state: "waiting", reason: "rate_limit" });
    expect(await t.store.waitingForKeys(await lanesOf(t))).toMatchObject([{ tokenAt: t.now + 1_000 }]);
    t.now += 999;
    expect((await t.claimLimited()).claimed).toEqual([]);
    t.now += 1;
    const second = await t.claimLimited();
    expect(idsOf(second.claimed)).toEqual([a[2]]);
    expect(second.keysAt).toBe(t.now + 1_000);
  },
  "who holds a limit, and when a token comes, can be asked": async (t) => {
    await limit(t, {
      concurrency: 5,
      concurrencyPerKey: 1,
      rateLimit: { limit: 1, perMs: 1_000, burst: 2 },
      rateLimitPerKey: { limit: 1, perMs: 60_000, burst: 1 },
    });
    const [a] = await createSome(t, 1, { concurrencyKey: "a" });
    const [b] = await createSome(t, 1, { concurrencyKey: "b" });
    const facts = (concurrencyKey: string | null) =>
      t.store.limitFacts(t.namespace, "default", { concurrencyKey, type: "work", now: t.now, limit: 10 });
    expect(await facts("a")).toEqual({ held: [], tokenAt: null, keyHeld: [], keyTokenAt: null, typeHeld: [] });
    expect((await t.claimLimited()).claimed).toHaveLength(2);
    expect(await facts("a")).toEqual({
      held: [a, b],
      tokenAt: t.now + 1_000,
      keyHeld: [a],
      keyTokenAt: t.now + 60_000,
      typeHeld: [a, b],
    });
    expect(await facts(null)).toMatchObject({ keyHeld: [], keyTokenAt: null });
  },
  "a task that waits for its key occupies its schedule's gate": async (t) => {
    await limit(t, { concurrencyPerKey: 1 });
    await createSome(t, 1, { concurrencyKey: "a" });
    expect((await t.claimLimited()).claimed).toHaveLength(1);
    await put(t, { overlap: "skip" });
    await plan(t, [1, 2], "task", undefined, { concurrencyKey: "a" });
    const judge = async () => t.store.judgeGates({ ids: [(await schedule(t))!.id], now: t.now });
    t.now += 1_000;
    await judge();
    await t.claimLimited();
    const [one, two] = (await fires(t)).map(({ task }) => task!.id);
    expect(await t.task(one!)).toMatchObject({ state: "waiting", reason: "key_limit" });
    t.now += 1_000;
    await judge();
    expect(await t.store.getTask(t.namespace, two!)).toBe(null);
    expect(await t.task(one!)).toMatchObject({ state: "waiting", reason: "key_limit" });
  },
};
