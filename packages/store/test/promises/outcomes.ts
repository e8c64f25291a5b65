import { expect } from "vitest";
import { again, final, large, mistake, type Promises } from "./world.ts";

export const outcomes: Promises = {
  "an outcome is kept with its attempt": async (t) => {
    const task = await t.claimOne({ dueAt: t.now - 5 });
    expect(await t.record(task, final("succeeded"), { startedAt: t.now - 2 })).toEqual([true]);
    expect(await t.task(task.id)).toMatchObject({
      state: "succeeded",
      result: '{"done":true}',
      startedAt: t.now - 2,
      finishedAt: t.now,
      worker: "w-1",
      attempts: [{ number: 1, worker: "w-1", node: "node-1", outcome: "succeeded", dueAt: t.now - 5 }],
    });
    expect(await t.store.leases(t.session)).toEqual([]);
  },
  "a result of any size is kept": async (t) => {
    const task = await t.claimOne({ payload: large });
    await t.record(task, { kind: "final", state: "succeeded", result: large, error: null, reason: null });
    expect(await t.task(task.id)).toMatchObject({ payload: large, result: large });
  },
  "a lease that was lost cannot write": async (t) => {
    const stale = await t.claimOne();
    await t.store.giveBack(t.session, [stale]);
    const [present] = await t.claim();
    expect(await t.record(stale, final("failed", mistake))).toEqual([false]);
    expect((await t.task(stale.id)).state).toBe("claimed");
    expect(await t.record(present!, final("succeeded"))).toEqual([true]);
  },
  "the first outcome wins, and its repetition is acknowledged": async (t) => {
    const task = await t.claimOne();
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
    expect(await t.record(task, final("failed", mistake))).toEqual([false]);
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
    expect((await t.task(task.id)).state).toBe("succeeded");
  },
  "a repetition is acknowledged for two days": async (t) => {
    const task = await t.claimOne();
    const fresh = await t.claimOne();
    await t.record(task, final("succeeded"));
    t.now += 49 * 3_600_000;
    await t.record(fresh, final("succeeded"));
    const repeated = await Promise.all([task, fresh].map((one) => t.record(one, final("succeeded"))));
    expect(repeated).toEqual([[false], [true]]);
  },
  "what a node decides about a worker that is gone is void once the worker is elsewhere": async (t) => {
    const task = await t.claimOne();
    const other = await t.openSession();
    await t.store.adopt(other, t.namespace, [task]);
    expect(await t.record(task, again(t.now), { session: t.session, lost: true })).toEqual([false]);
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
  },
  "a failed attempt is tried again at its instant, with its error kept": async (t) => {
    const task = await t.claimOne();
    await t.record(task, again(t.now + 1_000, mistake));
    expect(await t.task(task.id)).toMatchObject({
      state: "pending",
      dueAt: t.now + 1_000,
      failures: 1,
      attempt: 1,
      error: mistake,
      attempts: [{ number: 1, outcome: "failed", error: mistake }],
    });
    expect(await t.claim()).toEqual([]);
    t.now += 1_000;
    expect(await t.claim()).toMatchObject([{ attempt: 2, failures: 1, token: 2n }]);
  },
  "a snooze is no failure": async (t) => {
    const task = await t.claimOne();
    await t.record(task, { kind: "again", as: "snoozed", dueAt: t.now + 1_000, error: null });
    expect(await t.task(task.id)).toMatchObject({ failures: 0, attempt: 1, attempts: [{ outcome: "snoozed" }] });
  },
  "a worker that died is counted apart from failures": async (t) => {
    const task = await t.claimOne();
    await t.record(task, { kind: "again", as: "released", dueAt: t.now, error: null }, { lost: true });
    expect(await t.task(task.id)).toMatchObject({ failures: 0, lost: 1, attempts: [{ outcome: "lost" }] });
  },
  "the last ten attempts are kept": async (t) => {
    const { id } = await t.create();
    for (let n = 1; n <= 12; n++) {
      const [task] = await t.claim();
      await t.record(task!, again(t.now, mistake));
    }
    const { attempt, attempts } = await t.task(id);
    expect(attempt).toBe(12);
    expect(attempts.map(({ number }) => number)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  },
  "outcomes recorded at the same moment are answered each for itself": async (t) => {
    await t.store.createTasks(
      Array.from({ length: 50 }, () => t.newTask()),
      { now: t.now },
    );
    const tasks = await t.claim({ limit: 50 });
    const answers = tasks.map((task, index) =>
      t.record({ id: task.id, token: task.token + (index % 2 === 0 ? 0n : 1n) }, final("succeeded")),
    );
    expect((await Promise.all(answers)).flat()).toEqual(tasks.map((_, index) => index % 2 === 0));
  },
};
