import { expect } from "vitest";
import type { Promises } from "./world.ts";

export const claiming: Promises = {
  "a changed priority counts for the very next claim": async (t) => {
    const tasks = [await t.create({ priority: 9 }), await t.create({ priority: 9 }), await t.create({ priority: 9 })];
    const [first, second, third] = tasks.map(({ id }) => id) as [bigint, bigint, bigint];
    await t.store.patchTask(t.namespace, third, { priority: 1 }, t.now);
    const lane = (await t.store.lanes()).find(({ namespace }) => namespace === t.namespace)!;
    const claim = async (band: 1 | 3) => {
      const targets = [{ laneId: lane.id, band, limit: 10 }];
      const claimed = await t.store.claim({ session: t.session, targets, until: t.now, limit: 10, now: t.now });
      return claimed.map(({ id, priority }) => [id, priority]);
    };
    expect(await claim(1)).toEqual([[third, 1]]);
    expect(await claim(3)).toEqual([
      [first, 9],
      [second, 9],
    ]);
  },
  "the earliest due is claimed first, and nothing that is not due": async (t) => {
    const late = await t.create({ dueAt: t.now - 1 });
    const early = await t.create({ dueAt: t.now - 2 });
    const present = await t.create();
    await t.create({ dueAt: t.now + 1 });
    const claimed = [await t.claim({ limit: 1 }), await t.claim({ limit: 1 }), await t.claim({ limit: 5 })].flat();
    expect(claimed.map((task) => task.id)).toEqual([early.id, late.id, present.id]);
  },
  "claiming ahead takes what is due until then": async (t) => {
    const { id } = await t.create({ dueAt: t.now + 300 });
    await t.create({ dueAt: t.now + 301 });
    expect((await t.claim({ until: t.now + 300 })).map((task) => task.id)).toEqual([id]);
  },
  "a claim that begins at an instant takes nothing that is due earlier, and leaves it to others": async (t) => {
    const early = await t.create({ dueAt: t.now - 2 });
    const late = await t.create({ dueAt: t.now - 1 });
    const present = await t.create();
    const lane = (await t.store.lanes()).find((one) => one.namespace === t.namespace)!;
    const targets = [{ laneId: lane.id, band: 2 as const, limit: 5, from: t.now - 1 }];
    const claimed = await t.store.claim({ session: t.session, targets, until: t.now, limit: 5, now: t.now });
    expect(claimed.map((task) => task.id)).toEqual([late.id, present.id]);
    expect((await t.claim()).map((task) => task.id)).toEqual([early.id]);
  },
  "two nodes that claim at the same moment share the tasks": async (t) => {
    const other = await t.openSession();
    await t.store.createTasks(
      Array.from({ length: 40 }, () => t.newTask()),
      { now: t.now },
    );
    const claims = [t.session, other, t.session, other].map((session) => t.claim({ session, limit: 10 }));
    const ids = (await Promise.all(claims)).flat().map((task) => task.id);
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await t.claim({ limit: 40 });
    expect(ids.length + rest.length).toBe(40);
  },
  "the next due instant is known by lane and band": async (t) => {
    await t.create({ dueAt: t.now + 700 });
    await t.create({ dueAt: t.now + 500 });
    await t.create({ dueAt: t.now + 900, priority: 9 });
    const lane = (await t.store.lanes()).find((one) => one.namespace === t.namespace)!;
    const next = await t.store.nextDue([lane.id]);
    expect(next.sort((a, b) => a.band - b.band)).toEqual([
      { laneId: lane.id, band: 2, dueAt: t.now + 500 },
      { laneId: lane.id, band: 3, dueAt: t.now + 900 },
    ]);
  },
  "what is given back unstarted costs no attempt, and only its holder can": async (t) => {
    const task = await t.claimOne();
    expect(await t.store.giveBack(await t.openSession(), [task])).toEqual([]);
    expect(await t.store.giveBack(t.session, [task])).toEqual([task.id]);
    expect(await t.task(task.id)).toMatchObject({ state: "pending", attempt: 0, dueAt: task.dueAt });
    expect(await t.claim()).toMatchObject([{ id: task.id, attempt: 1, token: task.token + 1n }]);
  },
  "a long task is shown as running": async (t) => {
    const task = await t.claimOne();
    await t.store.markRunning([{ id: task.id, token: task.token, startedAt: t.now, worker: "w-7" }]);
    expect(await t.task(task.id)).toMatchObject({ state: "running", startedAt: t.now, worker: "w-7" });
  },
};
