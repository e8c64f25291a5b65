import { expect } from "vitest";
import { final, type Promises } from "./world.ts";

export const sessions: Promises = {
  "sessions have slots of their own, and know when a node was last seen": async (t) => {
    t.now += 60_000;
    await t.store.renewSession(t.session, t.now);
    const first = await t.store.openSession({ node: "a", url: null, now: t.now + 1 });
    const second = await t.store.openSession({ node: "b", url: null, now: t.now + 2 });
    expect(first.slot).not.toBe(second.slot);
    expect(first.lastSeenAt).toBe(t.now);
    expect(second.lastSeenAt).toBe(t.now + 1);
  },
  "a session dies only at the beat that was observed": async (t) => {
    const [{ beat } = { beat: 0n }] = await t.store.sessions();
    await t.store.renewSession(t.session, t.now);
    expect(await t.store.markSessionDead(t.session, beat, t.now)).toBe(false);
    expect(await t.store.renewSession(t.session, t.now)).toMatchObject({ alive: true });
    expect(await t.store.markSessionDead(t.session, beat + 2n, t.now)).toBe(true);
    expect(await t.store.renewSession(t.session, t.now)).toMatchObject({ alive: false });
    expect(await t.claim()).toEqual([]);
  },
  "a dead session claims nothing": async (t) => {
    await t.create();
    await t.die(t.session);
    expect(await t.claim()).toEqual([]);
  },
  "leases of a dead session are left alone for 1.5 s, then taken back": async (t) => {
    const unstarted = await t.claimOne();
    const started = await t.claimOne();
    await t.store.markRunning([{ ...started, startedAt: t.now, worker: "w-1" }]);
    await t.die(t.session);
    const take = (now: number) => t.store.takeBack(t.session, { now, limit: 10 });
    expect(await take(t.now - 1)).toBe(0);
    expect(await take(t.now)).toBe(2);
    expect(await t.task(unstarted.id)).toMatchObject({ state: "pending", attempt: 0, lost: 0, attempts: [] });
    expect(await t.task(started.id)).toMatchObject({
      state: "pending",
      attempt: 1,
      failures: 0,
      lost: 0,
      attempts: [{ number: 1, outcome: "lost" }],
    });
    expect(await take(t.now)).toBe(0);
    expect((await t.store.sessions()).map((session) => session.id)).not.toContain(t.session);
  },
  "leases are taken back in portions": async (t) => {
    await t.store.createTasks([t.newTask(), t.newTask(), t.newTask()], { now: t.now });
    await t.claim();
    await t.die(t.session);
    expect(await t.store.takeBack(t.session, { now: t.now, limit: 2 })).toBe(2);
    expect((await t.store.sessions()).map((session) => session.id)).toContain(t.session);
    expect(await t.store.takeBack(t.session, { now: t.now, limit: 2 })).toBe(1);
  },
  "an adopted task goes on under its token, and its old holder is rid of it": async (t) => {
    const task = await t.claimOne();
    await t.store.markRunning([{ ...task, startedAt: t.now, worker: "w-1" }]);
    const other = await t.openSession();
    await t.die(t.session);
    expect(await t.store.adopt(other, t.namespace, [task])).toMatchObject([
      { id: task.id, token: task.token, attempt: 1, startedAt: task.dueAt },
    ]);
    expect(await t.store.takeBack(t.session, { now: t.now, limit: 10 })).toBe(0);
    expect(await t.store.leases(other)).toEqual([{ id: task.id, token: task.token }]);
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
  },
  "a dead session adopts nothing, nor does anyone what another token holds": async (t) => {
    const task = await t.claimOne();
    const other = await t.openSession();
    expect(await t.store.adopt(other, t.namespace, [{ id: task.id, token: task.token + 1n }])).toEqual([]);
    expect(await t.store.adopt(other, "somebody-else", [task])).toEqual([]);
    await t.die(other);
    expect(await t.store.adopt(other, t.namespace, [task])).toEqual([]);
  },

  "a hint is not heard by its sender": async (t) => {
    const heard: unknown[] = [];
    t.store.hints.subscribe((hint) => heard.push(hint));
    t.store.hints.publish({ types: true });
    await t.store.databaseTime();
    expect(heard).toEqual([]);
  },
};
