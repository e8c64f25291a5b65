import { defaultPolicy, NEVER_AGAIN } from "@carillon/core";
import type { SchedulePlan, ScheduleToPlan } from "@carillon/store";
import { expect } from "vitest";
import { fires, plan, put, schedule } from "./schedules.ts";
import { again, final, mistake, type Promises, type World } from "./world.ts";

const judge = async (t: World) => t.store.judgeGates({ ids: [(await schedule(t))!.id], now: t.now });
const lookAt = async (t: World) => {
  const { id } = (await schedule(t))!;
  const found = await t.store.gates({ until: t.now + 86_400_000, limit: 1_000 });
  return found.find((gate) => gate.id === id)?.lookAt ?? null;
};
const outcomes = async (t: World) =>
  (await fires(t)).map(({ outcome, reason, task }) => (task ? task.state : `${outcome} ${reason}`));

/** Its first fire is due and claimed; the clock stands there. */
async function running(t: World, overlap: "skip" | "queue-one" | "queue-all" | "cancel-previous", seconds: number[]) {
  await put(t, { overlap });
  await plan(t, [1, ...seconds]);
  t.now += 1_000;
  await judge(t);
  const [held] = await t.claim();
  return held!;
}

export const gates: Promises = {
  "what waits at a gate is not claimed, and the gate says when it is to be judged": async (t) => {
    await put(t, { overlap: "skip" });
    await plan(t, [10, 5]);
    expect(await t.claim({ until: t.now + 60_000 })).toEqual([]);
    expect(await lookAt(t)).toBe(t.now + 5_000);
    expect(await t.store.gates({ until: t.now + 4_999, limit: 10 })).toEqual([]);
    expect(await judge(t)).toMatchObject({ gates: [{ lookAt: t.now + 5_000 }], released: [] });
    t.now += 5_000;
    expect(await judge(t)).toMatchObject({ released: [{ priority: 5, dueAt: t.now }] });
    expect(await t.claim()).toMatchObject([{ fireAt: t.now, dueAt: t.now }]);
    expect(await lookAt(t)).toBe(t.now + 5_000);
  },
  "skip: a fire that meets a task which is not final is skipped, and its task is gone": async (t) => {
    const held = await running(t, "skip", [2]);
    const [, coming] = await fires(t);
    t.now += 1_000;
    expect(await judge(t)).toMatchObject({ gates: [{ lookAt: null }], released: [] });
    expect(await outcomes(t)).toEqual(["claimed", "skipped overlap:skip"]);
    expect(await t.store.getTask(t.namespace, coming!.task!.id)).toBeNull();
    expect(await schedule(t)).toMatchObject({ fires: 1 });
    expect(await lookAt(t)).toBeNull();
    await t.record(held, final("succeeded"));
    await plan(t, [0, 3]);
    t.now += 3_000;
    await judge(t);
    expect(await t.claim()).toMatchObject([{ fireAt: t.now }]);
  },
  "what waits at a gate longer than its startWithin is skipped": async (t) => {
    const held = await running(t, "queue-all", []);
    await plan(t, [2], "task", undefined, { policy: { ...defaultPolicy, startWithinMs: 5_000 } });
    t.now += 7_000;
    await judge(t);
    expect(await outcomes(t)).toEqual(["claimed", "waiting"]);
    await t.store.skipUnstarted({ now: t.now, limit: 10 });
    expect(await outcomes(t)).toEqual(["claimed", "waiting"]);
    t.now += 1;
    await t.store.skipUnstarted({ now: t.now, limit: 10 });
    expect(await outcomes(t)).toEqual(["claimed", "skipped"]);
    await t.record(held, final("succeeded"));
    expect(await judge(t)).toMatchObject({ gates: [{ lookAt: null }], released: [] });
  },
  "a task that waits for its next attempt occupies its schedule's gate": async (t) => {
    const held = await running(t, "skip", [2]);
    await t.record(held, again(t.now + 60_000, mistake));
    t.now += 1_000;
    await judge(t);
    expect(await outcomes(t)).toEqual(["pending", "skipped overlap:skip"]);
  },
  "so does one that was triggered by hand": async (t) => {
    await put(t, { overlap: "skip" });
    await plan(t, [1]);
    await t.create({ trigger: "manual", scheduleId: (await schedule(t))!.id });
    t.now += 1_000;
    await judge(t);
    expect(await outcomes(t)).toEqual(["skipped overlap:skip"]);
  },
  "queue-one: one fire waits, later ones are skipped; it is due from when it may run": async (t) => {
    const held = await running(t, "queue-one", [2, 3, 4]);
    t.now += 1_000;
    await judge(t);
    t.now += 2_000;
    expect(await judge(t)).toMatchObject({ gates: [{ lookAt: t.now + 1_000 }], released: [] });
    expect(await outcomes(t)).toEqual(["claimed", "waiting", "skipped overlap:queue-one", "skipped overlap:queue-one"]);
    const [, waiting] = await fires(t);
    expect(await t.task(waiting!.task!.id)).toMatchObject({ state: "waiting", reason: "overlap" });
    await t.record(held, final("failed", mistake));
    t.now += 500;
    expect(await judge(t)).toMatchObject({ released: [{ dueAt: t.now }], gates: [{ lookAt: null }] });
    const [next] = await t.claim();
    expect(next).toMatchObject({ fireAt: waiting!.fireAt, dueAt: t.now });
    expect(await t.task(next!.id)).toMatchObject({ reason: null });
  },
  "queue-all: all run, one after another, in the order of their fires": async (t) => {
    let held = await running(t, "queue-all", [3, 2, 4]);
    t.now += 3_000;
    const order = [held.fireAt!];
    for (let turn = 0; turn < 3; turn++) {
      await judge(t);
      expect(await t.claim()).toEqual([]);
      await t.record(held, final("succeeded"));
      await judge(t);
      [held] = (await t.claim()) as [typeof held];
      order.push(held.fireAt!);
    }
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(await outcomes(t)).toEqual(["succeeded", "succeeded", "succeeded", "claimed"]);
  },
  "cancel-previous: what runs is asked to cancel, and the latest fire runs when that has ended": async (t) => {
    const held = await running(t, "cancel-previous", [2, 3]);
    t.now += 2_000;
    expect(await judge(t)).toMatchObject({
      recalled: [{ id: held.id, session: t.session, reason: "overlap:cancel-previous" }],
      released: [],
    });
    // Whoever holds it knows already.
    expect(await judge(t)).toMatchObject({ recalled: [], released: [] });
    expect(await t.store.renewSession(t.session, t.now)).toMatchObject({ recalls: [{ id: held.id, what: "cancel" }] });
    await t.record(held, { ...final("cancelled"), reason: "overlap:cancel-previous" } as never);
    expect(await judge(t)).toMatchObject({ released: [{ dueAt: t.now }] });
    expect(await outcomes(t)).toEqual(["cancelled", "skipped overlap:cancel-previous", "pending"]);
  },
  "cancel-previous: what nobody holds is cancelled at once, and the fire runs": async (t) => {
    const held = await running(t, "cancel-previous", [2]);
    await t.record(held, again(t.now + 60_000, mistake));
    t.now += 1_000;
    expect(await judge(t)).toMatchObject({
      cancelled: [{ id: held.id, namespace: t.namespace }],
      released: [{ dueAt: t.now }],
    });
    expect(await t.task(held.id)).toMatchObject({ state: "cancelled", reason: "overlap:cancel-previous" });
  },
  "a rule that ends after so many tasks goes on for another one when a fire is skipped": async (t) => {
    await put(t, { overlap: "skip", maxFires: 2 });
    await plan(t, [1, 2]);
    t.now += 1_000;
    await judge(t);
    expect(await t.claim()).toHaveLength(1);
    t.now += 1_000;
    await judge(t);
    expect(await schedule(t)).toMatchObject({ fires: 1, plannedUntil: t.now });
  },
  "an edit withdraws what waits for its instant, and judges what waits for others anew": async (t) => {
    await running(t, "queue-all", [2, 30]);
    t.now += 1_000;
    await judge(t);
    await put(t, { overlap: "allow" });
    expect(await outcomes(t)).toEqual(["claimed", "waiting", "withdrawn edited"]);
    await judge(t);
    expect(await t.claim()).toHaveLength(1);
    expect(await lookAt(t)).toBeNull();
  },
  "what waits and is moved or hastened is judged at its new instant": async (t) => {
    await put(t, { overlap: "skip" });
    await plan(t, [30, 40]);
    const [one, two] = (await fires(t)).map(({ task }) => task!.id);
    await t.store.patchTask(t.namespace, two!, { dueAt: t.now + 10_000 }, t.now);
    await judge(t);
    expect(await lookAt(t)).toBe(t.now + 10_000);
    await t.store.runTaskNow(t.namespace, one!, t.now);
    expect(await lookAt(t)).toBe(t.now);
    expect(await judge(t)).toMatchObject({ released: [{ dueAt: t.now }], gates: [{ lookAt: t.now + 10_000 }] });
  },
  "a schedule that counts from ends waits for the one of its latest fire's task, and is then planned from there":
    async (t) => {
      await put(t, { delay: "5m" });
      const next = (schedule: ScheduleToPlan): SchedulePlan => {
        seen.push(schedule.previous);
        const fireAt = t.now + 1_000;
        const task = t.newTask({ trigger: "schedule", scheduleId: schedule.id, fireAt, dueAt: fireAt });
        const fires = [{ fireAt, outcome: "task" as const, reason: null, caughtUp: false, task }];
        return { fires, plannedUntil: NEVER_AGAIN, nextFireAt: fireAt, lookAt: t.now };
      };
      const seen: ScheduleToPlan["previous"][] = [];
      const planNext = () => t.store.planSchedules({ before: t.now + 60_000, limit: 10, now: t.now }, next);
      await planNext();
      t.now += 1_000;
      const [held] = await t.claim();
      expect(await judge(t)).toMatchObject({ gates: [{ lookAt: t.now + 5_000 }], replan: false });
      expect(await planNext()).toMatchObject({ schedules: 0 });
      await t.record(held!, again(t.now + 2_000, mistake));
      expect(await judge(t)).toMatchObject({ replan: false });
      await t.store.cancelTask(t.namespace, held!.id, { reason: null, now: t.now });
      const endedAt = t.now;
      t.now += 3_000;
      expect(await judge(t)).toMatchObject({ gates: [{ lookAt: null }], replan: true });
      expect(await schedule(t)).toMatchObject({ plannedUntil: endedAt });
      await planNext();
      expect(seen).toEqual([null, { fireAt: endedAt, open: false, endedAt }]);
    },
  "a schedule is paused when so many of its tasks in a row have failed, counted from its last change": async (t) => {
    await put(t, { pauseAfterFailures: 2 });
    await plan(t, [1, 2, 3, 4, 30]);
    const end = async (state: "failed" | "succeeded") => {
      t.now += 1_000;
      const [held] = await t.claim();
      await t.record(held!, final(state, state === "failed" ? mistake : null));
      return judge(t);
    };
    expect(await end("failed")).toMatchObject({ paused: [], gates: [{ lookAt: t.now + 5_000 }] });
    expect(await end("succeeded")).toMatchObject({ paused: [] });
    expect(await end("failed")).toMatchObject({ paused: [] });
    const reason = "its last 2 tasks failed";
    expect(await end("failed")).toMatchObject({
      paused: [{ name: "nightly", namespace: t.namespace, reason }],
      replan: true,
      gates: [{ lookAt: null }],
    });
    expect(await schedule(t)).toMatchObject({ paused: true, pause: { reason, at: t.now } });
    // What was planned is withdrawn, as with any pause.
    expect(await t.claim({ until: t.now + 60_000 })).toEqual([]);
    await t.store.setPaused(t.namespace, "nightly", { paused: false, reason: null, now: t.now });
    await plan(t, [1]);
    expect(await end("failed")).toMatchObject({ paused: [] });
  },
};
