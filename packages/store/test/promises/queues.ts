import { expect } from "vitest";
import type { Promises } from "./world.ts";

const rate = { limit: 5, perMs: 1_000, burst: 10 };

export const queues: Promises = {
  "a queue on which nobody has set anything has no record": async (t) => {
    await t.create();
    expect(await t.store.getQueue(t.namespace, "default")).toBe(null);
    expect((await t.store.listQueues(t.namespace, { pageSize: 10, after: null })).items).toEqual([]);
  },
  "what is set is kept, and an equal change changes nothing": async (t) => {
    const breaker = { failures: 3, openMs: 5_000, adaptive: true };
    const settings = { concurrency: 3, rateLimit: rate, maxBacklog: 1_000, breaker };
    const request = { namespace: t.namespace, name: "mail", settings, now: t.now };
    const created = await t.store.putQueue(request);
    expect(created).toMatchObject({ kind: "created", queue: { name: "mail", version: 1, settings, paused: false } });
    t.now += 1_000;
    const reordered = {
      breaker: { adaptive: true, openMs: 5_000, failures: 3 },
      maxBacklog: 1_000,
      rateLimit: { burst: 10, perMs: 1_000, limit: 5 },
      concurrency: 3,
    };
    const same = await t.store.putQueue({ ...request, settings: reordered, now: t.now });
    expect(same).toMatchObject({ kind: "unchanged", queue: { version: 1, updatedAt: t.now - 1_000 } });
    const changed = await t.store.putQueue({ ...request, settings: { concurrency: 4 }, now: t.now });
    expect(changed).toMatchObject({ kind: "changed", queue: { version: 2, settings: { concurrency: 4 } } });
    expect(await t.store.getQueue(t.namespace, "mail")).toEqual(changed.kind === "changed" && changed.queue);
  },
  "a change may ask for a version": async (t) => {
    const request = { namespace: t.namespace, name: "mail", settings: {}, now: t.now };
    expect(await t.store.putQueue({ ...request, expect: 1 })).toEqual({ kind: "version_mismatch" });
    expect(await t.store.putQueue({ ...request, expect: 0 })).toMatchObject({ kind: "created" });
    expect(await t.store.putQueue({ ...request, expect: 0 })).toEqual({ kind: "version_mismatch" });
    const next = await t.store.putQueue({ ...request, settings: { concurrency: 1 }, expect: 1 });
    expect(next).toMatchObject({ kind: "changed", queue: { version: 2 } });
  },
  "settings leave a pause as it is, and a pause leaves settings as they are": async (t) => {
    const request = { namespace: t.namespace, name: "mail", settings: { concurrency: 2 }, now: t.now };
    await t.store.putQueue(request);
    const paused = await t.store.setQueuePaused(t.namespace, "mail", {
      paused: true,
      reason: "flood",
      by: "ops",
      now: t.now,
    });
    expect(paused).toMatchObject({
      version: 2,
      paused: true,
      pause: { reason: "flood", at: t.now, by: "ops" },
      settings: { concurrency: 2 },
    });
    t.now += 10;
    const put = await t.store.putQueue({ ...request, settings: { concurrency: 5 }, now: t.now });
    expect(put).toMatchObject({ kind: "changed", queue: { version: 3, paused: true, pause: { reason: "flood" } } });
    const resumed = await t.store.setQueuePaused(t.namespace, "mail", { paused: false, reason: null, now: t.now });
    expect(resumed).toMatchObject({ version: 4, paused: false, pause: null, settings: { concurrency: 5 } });
    const again = await t.store.setQueuePaused(t.namespace, "mail", { paused: false, reason: null, now: t.now });
    expect(again.version).toBe(4);
  },
  "to pause what is paused replaces the reason, if one is given": async (t) => {
    const pause = (reason: string | null, now: number) =>
      t.store.setQueuePaused(t.namespace, "mail", { paused: true, reason, now });
    expect((await pause("one", t.now)).pause).toEqual({ reason: "one", at: t.now, by: null });
    expect((await pause(null, t.now + 5)).pause).toEqual({ reason: "one", at: t.now, by: null });
    expect((await pause("two", t.now + 5)).pause).toEqual({ reason: "two", at: t.now, by: null });
  },
  "queues are listed by name, page by page, and all of them with how they are claimed": async (t) => {
    for (const name of ["b", "a", "c"]) {
      await t.store.putQueue({ namespace: t.namespace, name, settings: { maxBacklog: 5 }, now: t.now });
    }
    const first = await t.store.listQueues(t.namespace, { pageSize: 2, after: null });
    expect(first.items.map(({ name }) => name)).toEqual(["a", "b"]);
    const second = await t.store.listQueues(t.namespace, { pageSize: 2, after: first.next });
    expect(second).toMatchObject({ items: [{ name: "c" }], next: null });
    const breaker = { failures: 5, openMs: 1_000, adaptive: false };
    await t.store.putQueue({ namespace: t.namespace, name: "b", settings: { breaker }, now: t.now });
    await t.store.setQueuePaused(t.namespace, "c", { paused: true, reason: null, now: t.now });
    const all = (await t.store.allQueues()).filter(({ namespace }) => namespace === t.namespace);
    expect(all.map(({ name, mode }) => [name, mode])).toEqual([
      ["a", "free"],
      ["b", "limited"],
      ["c", "paused"],
    ]);
  },
  "nothing is claimed from a paused queue, in either way, also of types that came later": async (t) => {
    await t.create();
    await t.store.setQueuePaused(t.namespace, "default", { paused: true, reason: null, now: t.now });
    await t.create({ type: "other" });
    expect(await t.claim()).toEqual([]);
    const claimed = await t.create({}, { claim: { session: t.session, count: 1 } });
    expect(claimed.answer).toMatchObject({ claimed: [] });
    expect(await t.claimLimited()).toMatchObject({ mode: "paused", claimed: [] });
    await t.store.setQueuePaused(t.namespace, "default", { paused: false, reason: null, now: t.now });
    expect(await t.claim()).toHaveLength(2);
  },
  "pausing recalls what was claimed and has not started": async (t) => {
    const task = await t.claimOne();
    await t.store.setQueuePaused(t.namespace, "default", { paused: true, reason: null, now: t.now });
    const { recalls } = await t.store.renewSession(t.session, t.now);
    expect(recalls).toMatchObject([{ id: task.id, what: "return" }]);
    expect(await t.store.giveBack(t.session, [task])).toEqual([task.id]);
    expect(await t.claim()).toEqual([]);
  },
};
