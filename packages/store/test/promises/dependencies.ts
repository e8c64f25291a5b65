import { defaultPolicy, type Id } from "@carillon/core";
import type { NewTask } from "@carillon/store";
import { expect } from "vitest";
import { again, final, large, mistake, type Promises, type World } from "./world.ts";

const settle = (t: World, limit = 100) => t.store.settleDependencies({ now: t.now, limit });

/** Claims what there is and ends it so. */
async function end(t: World, id: Id, state: "succeeded" | "failed", result = '{"done":true}'): Promise<void> {
  const held = (await t.claim()).find((task) => task.id === id)!;
  const decision = final(state, state === "failed" ? mistake : null);
  if (decision.kind === "final" && state === "succeeded") decision.result = result;
  expect(await t.record(held, decision)).toEqual([true]);
}

const child = (t: World, after: Id[], more: Partial<NewTask> = {}) => t.create({ after, when: "all", ...more });

export const dependencies: Promises = {
  "a task after others waits until all of them have succeeded, and is due from then on": async (t) => {
    const [one, other] = [await t.create(), await t.create()];
    const waiting = await child(t, [one.id, other.id]);
    expect(waiting.answer).toMatchObject({ tasks: [{ id: waiting.id, created: true, state: "blocked" }] });
    expect(await t.task(waiting.id)).toMatchObject({ state: "blocked", after: [one.id, other.id], when: "all" });
    expect(await t.store.waitsFor(t.namespace, waiting.id, 1)).toEqual({ tasks: [one.id], count: 2 });
    const [first, second] = await t.claim();
    await t.record(first!, final("succeeded"));
    expect(await settle(t)).toMatchObject({ released: [], ended: [] });
    expect(await t.store.waitsFor(t.namespace, waiting.id, 10)).toEqual({ tasks: [other.id], count: 1 });
    t.now += 5_000;
    await t.record(second!, final("succeeded"));
    expect((await settle(t)).released).toMatchObject([{ id: waiting.id, lane: { type: "work" }, dueAt: t.now }]);
    expect(await t.task(waiting.id)).toMatchObject({ state: "pending", dueAt: t.now });
    expect((await t.claim()).map(({ id }) => id)).toEqual([waiting.id]);
  },
  "two parents that end in the same batch release their child once": async (t) => {
    const parents = [await t.create(), await t.create()];
    const waiting = await child(
      t,
      parents.map(({ id }) => id),
    );
    const held = await t.claim();
    const ends = held.map(({ id, token }) => ({
      id,
      token,
      decision: final("succeeded"),
      startedAt: t.now,
      finishedAt: t.now,
      worker: "w-1",
      lost: false,
    }));
    expect(await t.store.recordOutcomes(ends)).toEqual([true, true]);
    expect((await settle(t)).released.map(({ id }) => id)).toEqual([waiting.id]);
    expect(await settle(t)).toMatchObject({ released: [], ended: [], more: false });
  },
  "any: the first success is enough; on-failure: the first failure; all-done: whatever came of them": async (t) => {
    const parents = [await t.create(), await t.create()];
    const after = parents.map(({ id }) => id);
    const any = await child(t, after, { when: "any" });
    const failure = await child(t, after, { when: "on-failure" });
    const done = await child(t, after, { when: "all-done" });
    const held = await t.claim();
    await t.record(held[0]!, final("succeeded"));
    expect((await settle(t)).released.map(({ id }) => id)).toEqual([any.id]);
    await t.record(held[1]!, final("failed", mistake));
    expect((await settle(t)).released.map(({ id }) => id)).toEqual([failure.id, done.id]);
  },
  "a condition that cannot become true any more skips the task, and what comes after it": async (t) => {
    const parent = await t.create();
    const first = await child(t, [parent.id]);
    const second = await child(t, [first.id]);
    const told = await child(t, [second.id], { when: "all-done" });
    await end(t, parent.id, "failed");
    expect(await settle(t)).toMatchObject({ ended: [{ id: first.id, state: "skipped" }] });
    expect(await settle(t)).toMatchObject({ ended: [{ id: second.id, state: "skipped" }] });
    expect((await settle(t)).released.map(({ id }) => id)).toEqual([told.id]);
    expect(await t.task(second.id)).toMatchObject({
      state: "skipped",
      reason: "parents",
      finishedAt: t.now,
      attempt: 0,
    });
  },
  "parents that are final already count at once": async (t) => {
    const good = await t.create();
    await end(t, good.id, "succeeded");
    const bad = await t.create();
    await end(t, bad.id, "failed");
    t.now += 3 * 86_400_000;
    const states = async (after: Id[], when: NewTask["when"]) => {
      const { id, answer } = await child(t, after, { when: when! });
      expect(answer.kind).toBe("created");
      return (await t.task(id)).state;
    };
    expect(await states([good.id], "all")).toBe("pending");
    expect(await states([good.id, bad.id], "all")).toBe("skipped");
    expect(await states([good.id, bad.id], "any")).toBe("pending");
    expect(await states([bad.id], "on-failure")).toBe("pending");
    expect(await states([good.id], "on-failure")).toBe("skipped");
    const open = await t.create({ dueAt: t.now + 60_000 });
    expect(await states([open.id, good.id], "all")).toBe("blocked");
  },
  "parents that there are not, or that another namespace has, are refused, and nothing is created": async (t) => {
    const stranger = t.newTask({ namespace: `${t.namespace}-other` });
    await t.store.createTasks([stranger], { now: t.now });
    const unknown = t.newTask();
    const parent = await t.create();
    const lost = await child(t, [parent.id, unknown.id, stranger.id]);
    expect(lost.answer).toEqual({ kind: "unknown_parents", parents: [unknown.id, stranger.id] });
    expect(await t.store.getTask(t.namespace, lost.id)).toBe(null);
  },
  "whichever way a parent becomes final, its child hears of it": async (t) => {
    const hurried = { ...defaultPolicy, startWithinMs: 1_000 };
    const parents = {
      cancelled: await t.create({ dueAt: t.now + 60_000 }),
      late: await t.create({ policy: hurried, dueAt: t.now - 2_000 }),
    };
    const ids: Id[] = [];
    for (const { id } of Object.values(parents)) ids.push((await child(t, [id], { when: "all-done" })).id);
    await t.store.cancelTask(t.namespace, parents.cancelled.id, { reason: null, now: t.now });
    await t.store.skipUnstarted({ now: t.now, limit: 10 });

    const unstarted = await t.claimOne();
    ids.push((await child(t, [unstarted.id], { when: "all-done" })).id);
    await t.store.cancelTask(t.namespace, unstarted.id, { reason: null, now: t.now });
    await t.store.giveBack(t.session, [unstarted]);

    const [released] = [await t.claimOne()];
    ids.push((await child(t, [released!.id], { when: "all-done" })).id);
    await t.store.cancelTask(t.namespace, released!.id, { reason: null, now: t.now });
    await t.record(released!, again(t.now));

    const session = await t.openSession();
    await t.create();
    const [abandoned] = await t.claim({ session });
    ids.push((await child(t, [abandoned!.id], { when: "all-done" })).id);
    await t.store.cancelTask(t.namespace, abandoned!.id, { reason: null, now: t.now });
    await t.die(session);
    await t.store.takeBack(session, { now: t.now, limit: 10 });

    const discarded = await t.claimOne();
    ids.push((await child(t, [discarded.id], { when: "all-done" })).id);
    await t.record(discarded, final("skipped"));
    expect((await settle(t)).released.map(({ id }) => id)).toEqual(ids);
  },
  "a child is given the results of those that succeeded, as far as they fit": async (t) => {
    const [good, big, bad, huge] = [await t.create(), await t.create(), await t.create(), await t.create()];
    const held = new Map((await t.claim()).map((task) => [task.id, task]));
    const waiting = await child(t, [good.id, bad.id, big.id, huge.id], { when: "all-done" });
    const ended = (id: Id, result: string) => {
      const decision = { ...final("succeeded"), result };
      return t.record(held.get(id)!, decision as ReturnType<typeof final>);
    };
    await ended(good.id, '{"sent":1}');
    await ended(big.id, large);
    await ended(huge.id, JSON.stringify("x".repeat(200_000)));
    await t.record(held.get(bad.id)!, final("failed", mistake));
    await settle(t);
    const [claimed] = await t.claim();
    expect(claimed!.id).toBe(waiting.id);
    const results = Object.values(JSON.parse(claimed!.parents!));
    expect(results).toEqual([{ sent: 1 }, "x".repeat(100_000)]);
    expect((await t.claimOne()).parents).toBeUndefined();
  },
  "a parent that is retried before its end was told never ended; after that its end stays told": async (t) => {
    const parent = await t.create();
    const waiting = await child(t, [parent.id]);
    await end(t, parent.id, "failed");
    await t.store.retryTask(t.namespace, parent.id, t.now);
    expect(await settle(t)).toMatchObject({ released: [], ended: [] });
    expect(await t.task(waiting.id)).toMatchObject({ state: "blocked" });
    await end(t, parent.id, "failed");
    await settle(t);
    await t.store.retryTask(t.namespace, parent.id, t.now);
    await end(t, parent.id, "succeeded");
    await settle(t);
    expect(await t.task(waiting.id)).toMatchObject({ state: "skipped", reason: "parents" });
    await t.store.retryTask(t.namespace, waiting.id, t.now);
    expect((await t.claim()).map(({ id }) => id)).toEqual([waiting.id]);
  },
  "a blocked task is counted as such, can be changed and cancelled, and has its startWithin from when it is due":
    async (t) => {
      const parent = await t.create();
      const policy = { ...defaultPolicy, startWithinMs: 1_000 };
      const waiting = await child(t, [parent.id], { policy });
      const other = await child(t, [parent.id]);
      const depths = await t.store.depths({ now: t.now, cap: 100, namespace: t.namespace });
      expect(depths.find(({ state }) => state === "blocked")).toMatchObject({ count: 2, due: 0, waitsSince: null });
      await t.store.patchTask(t.namespace, waiting.id, { priority: 1, payload: '"new"' }, t.now);
      await t.store.cancelTask(t.namespace, other.id, { reason: "no", now: t.now });
      t.now += 10_000;
      expect(await t.store.skipUnstarted({ now: t.now, limit: 10 })).toEqual([]);
      await end(t, parent.id, "succeeded");
      expect((await settle(t)).released).toMatchObject([{ id: waiting.id, priority: 1 }]);
      t.now += 900;
      expect(await t.store.skipUnstarted({ now: t.now, limit: 10 })).toEqual([]);
      expect(await t.claim()).toMatchObject([{ id: waiting.id, payload: '"new"', parents: expect.any(String) }]);
    },
};
