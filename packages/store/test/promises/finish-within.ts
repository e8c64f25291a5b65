import { defaultPolicy } from "@carillon/core";
import { expect } from "vitest";
import { again, mistake, type Promises } from "./world.ts";

const MINUTE = 60_000;
const limited = { ...defaultPolicy, finishWithinMs: 60 * MINUTE };
const overdue = { state: "failed", reason: null, startedAt: null, error: { code: "finish_within" } };

export const finishWithin: Promises = {
  "a waiting task becomes more urgent as its deadline comes near, and fails at it; others wait on": async (t) => {
    const { id } = await t.create({ policy: limited, priority: 8 });
    const patient = await t.create({ priority: 8 });
    const look = () => t.store.watchDeadlines({ now: t.now, limit: 10 });
    const lookAfter = async (minutes: number) => {
      t.now += minutes * MINUTE;
      return look();
    };
    t.now += 30 * MINUTE - 1;
    expect(await look()).toEqual({ failed: [], raised: [], more: false });
    t.now += 1;
    expect(await look()).toMatchObject({ raised: [{ priority: 6, lane: { type: "work" } }] });
    expect(await lookAfter(15)).toMatchObject({ raised: [{ priority: 3 }] });
    expect(await lookAfter(9)).toMatchObject({ raised: [{ priority: 1 }] });
    expect(await look()).toMatchObject({ raised: [] });
    expect(await t.task(id)).toMatchObject({ state: "pending", priority: 1 });
    expect(await lookAfter(6)).toMatchObject({ failed: [{ id, lane: { type: "work", namespace: t.namespace } }] });
    expect(await t.task(id)).toMatchObject({ ...overdue, attempt: 0, finishedAt: t.now, policy: limited });
    expect(await t.task(patient.id)).toMatchObject({ state: "pending", priority: 8 });
  },
  "a page looks at the tasks whose time comes first, and says that there may be more": async (t) => {
    const later = await t.create({ policy: limited, dueAt: t.now + 2 });
    const first = await t.create({ policy: limited });
    t.now += 60 * MINUTE + 2;
    const look = () => t.store.watchDeadlines({ now: t.now, limit: 1 });
    expect(await look()).toMatchObject({ failed: [{ id: first.id }], more: true });
    expect(await look()).toMatchObject({ failed: [{ id: later.id }], more: true });
    expect(await look()).toEqual({ failed: [], raised: [], more: false });
  },
  "what is held is its holder's to stop, who knows the deadline; what comes back late fails": async (t) => {
    const claimed = await t.claimOne({ policy: limited });
    expect(claimed.finishBy).toBe(t.now + 60 * MINUTE);
    t.now += 61 * MINUTE;
    const look = () => t.store.watchDeadlines({ now: t.now, limit: 10 });
    expect(await look()).toEqual({ failed: [], raised: [], more: false });
    await t.record(claimed, again(t.now + 1, mistake));
    expect(await look()).toMatchObject({ failed: [{ id: claimed.id }] });
    expect(await t.task(claimed.id)).toMatchObject({ ...overdue, attempt: 1, failures: 1, attempts: [{ number: 1 }] });
  },
  "a deadline moves with the due instant before the first start and not after it; a retried task has it anew": async (
    t,
  ) => {
    const moved = await t.create({ policy: limited });
    await t.store.patchTask(t.namespace, moved.id, { dueAt: t.now + 30 * MINUTE }, t.now);
    const tried = await t.create({ policy: limited });
    const [claimed] = await t.claim();
    await t.record(claimed!, again(t.now + MINUTE, mistake));
    await t.store.patchTask(t.namespace, tried.id, { dueAt: t.now + 30 * MINUTE }, t.now);
    const failed = async () => (await t.store.watchDeadlines({ now: t.now, limit: 10 })).failed.map((task) => task.id);
    t.now += 60 * MINUTE;
    expect(await failed()).toEqual([tried.id]);
    t.now += 30 * MINUTE;
    expect(await failed()).toEqual([moved.id]);
    await t.store.retryTask(t.namespace, tried.id, t.now);
    t.now += 60 * MINUTE - 1;
    expect(await failed()).toEqual([]);
    t.now += 1;
    expect(await failed()).toEqual([tried.id]);
  },
  "a task that is created in the hands of its first holder has its deadline": async (t) => {
    const task = t.newTask({ policy: limited });
    const answer = await t.store.createTasks([task], { now: t.now, claim: { session: t.session, count: 1 } });
    expect(answer).toMatchObject({ claimed: [{ id: task.id, finishBy: t.now + 60 * MINUTE }] });
  },
};
