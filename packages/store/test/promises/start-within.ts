import { defaultPolicy } from "@carillon/core";
import { expect } from "vitest";
import { again, mistake, type Promises } from "./world.ts";

const hurried = { ...defaultPolicy, startWithinMs: 5_000 };

export const startWithin: Promises = {
  "a task that nobody claims within its startWithin is skipped, the first ones first, and one in time is not": async (
    t,
  ) => {
    const [second, first, inTime, patient] = [
      await t.create({ policy: hurried, dueAt: t.now + 1 }),
      await t.create({ policy: hurried }),
      await t.create({ policy: hurried, dueAt: t.now + 2 }),
      await t.create(),
    ];
    const skip = (limit: number) => t.store.skipUnstarted({ now: t.now, limit });
    t.now += 5_000;
    expect(await skip(10)).toEqual([]);
    t.now += 2;
    expect(await skip(1)).toMatchObject([{ id: first.id, lane: { type: "work", namespace: t.namespace } }]);
    expect(await skip(10)).toMatchObject([{ id: second.id }]);
    expect(await skip(10)).toEqual([]);
    expect(await t.task(first.id)).toMatchObject({
      state: "skipped",
      reason: "start_within",
      finishedAt: t.now,
      startedAt: null,
      attempt: 0,
      policy: hurried,
    });
    expect((await t.claim()).map(({ id }) => id)).toEqual([patient.id, inTime.id]);
  },
  "what is held is its holder's to skip; given back unstarted it has its deadline still, after a start it has none":
    async (t) => {
      const { id } = await t.claimOne({ policy: hurried });
      t.now += 5_001;
      const skip = () => t.store.skipUnstarted({ now: t.now, limit: 10 });
      expect(await skip()).toEqual([]);
      const started = await t.claimOne({ policy: hurried });
      await t.record(started, again(t.now + 1, mistake));
      t.now += 5_001;
      expect(await skip()).toEqual([]);
      const [held] = (await t.store.leases(t.session)).filter((lease) => lease.id === id);
      await t.store.giveBack(t.session, [held!]);
      expect(await skip()).toMatchObject([{ id }]);
      expect(await t.task(started.id)).toMatchObject({ state: "pending", failures: 1 });
    },
  "a deadline moves with the first due instant, and a skipped task that is retried has it anew": async (t) => {
    const moved = await t.create({ policy: hurried });
    const hastened = await t.create({ policy: hurried, dueAt: t.now + 60_000 });
    await t.store.patchTask(t.namespace, moved.id, { dueAt: t.now + 20_000 }, t.now);
    await t.store.runTaskNow(t.namespace, hastened.id, t.now);
    const skip = async () => (await t.store.skipUnstarted({ now: t.now, limit: 10 })).map(({ id }) => id);
    t.now += 5_001;
    expect(await skip()).toEqual([hastened.id]);
    t.now += 20_000;
    expect(await skip()).toEqual([moved.id]);
    await t.store.retryTask(t.namespace, moved.id, t.now);
    t.now += 5_000;
    expect(await skip()).toEqual([]);
    t.now += 1;
    expect(await skip()).toEqual([moved.id]);
  },
};
