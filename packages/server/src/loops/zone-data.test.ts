import { createIdSource, defaultDst } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { noLog, VirtualClock } from "@carillon/testkit";
import { expect, test } from "vitest";
import { createPlanner } from "./planner.ts";

function setup() {
  const clock = new VirtualClock();
  const store = createMemoryStore(createMemoryDatabase({ now: () => clock.now() }));
  const ids = createIdSource({ cell: 0, slot: 16 });
  return {
    store,
    clock,
    /** A node that plans with this data. */
    async node(zoneData: string) {
      const { id } = await store.openSession({ node: zoneData, url: null, now: clock.now(), zoneData });
      const planner = createPlanner({ store, clock, ids, log: noLog, noticeCreated() {}, zoneData });
      return {
        close: () => store.closeSession(id, clock.now()),
        async plan() {
          while ((await planner.round()) === 0);
        },
      };
    },
    async put(name: string, timeZone: string) {
      const base = { every: null, dialect: "ocps" as const, dst: defaultDst, jitter: null };
      const task = { type: "t", payload: null, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] };
      const answer = await store.putSchedule({
        id: ids.next(clock.now()),
        namespace: "default",
        name,
        definition: {
          rule: { ...base, cron: "*/5 * * * * *", timeZone, startAt: null, endAt: null, maxFires: null },
          catchUp: { policy: "last", windowMs: 86_400_000, limit: 100 },
          overlap: "allow",
          task,
        },
        now: clock.now(),
        nextFireAt: null,
      });
      if (!("schedule" in answer)) throw new Error(answer.kind);
      return answer.schedule.id;
    },
    fires: async (id: bigint) => (await store.listFires(id, { from: 0, to: 1e15, pageSize: 1_000, after: null })).items,
  };
}

test("of nodes with different zone data the newest plans what depends on it; the other goes on when it is gone", async () => {
  const t = setup();
  const older = await t.node("2025c");
  const newer = await t.node("2026a");
  const [paris, utc] = [await t.put("paris", "Europe/Paris"), await t.put("utc", "UTC")];
  await older.plan();
  expect([await t.fires(paris), await t.fires(utc)].map(({ length }) => length)).toEqual([0, 24]);
  await newer.plan();
  expect(await t.fires(paris)).toHaveLength(24);
  await newer.close();
  await t.clock.advance(100_000);
  await older.plan();
  const fires = await t.fires(paris);
  expect(fires).toHaveLength(44);
  // Both have the same data really, so that nothing was to be changed.
  expect(new Set(fires.map(({ outcome }) => outcome))).toEqual(new Set(["task"]));
  expect(await t.store.zoneChanges("default", { limit: 10 })).toEqual([]);
});
