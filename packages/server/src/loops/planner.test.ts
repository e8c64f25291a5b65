import { createIdSource, defaultDst, type ScheduleRule } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { noLog, VirtualClock } from "@carillon/testkit";
import { expect, test, vi } from "vitest";
import { createPlanner } from "./planner.ts";

/** Fires of a schedule that fires each second, once it is planned. */
const AHEAD = 120;

/** `callMs`: what each look at the clock costs, for a process that is slow at planning. */
function setup({ callMs = 0 } = {}) {
  const clock = new VirtualClock();
  const store = createMemoryStore(createMemoryDatabase({ now: () => clock.now() }));
  const ids = createIdSource({ cell: 0, slot: 16 });
  const log = { ...noLog, error: vi.fn() };
  let busyMs = 0;
  const slowClock = {
    now: () => clock.now(),
    monotonic: () => (busyMs += callMs) + clock.monotonic(),
    after: clock.after.bind(clock),
  };
  const planner = createPlanner({ store, clock: slowClock, ids, log, noticeCreated() {} });
  const rule: ScheduleRule = {
    cron: null,
    every: "1s",
    timeZone: "UTC",
    dialect: "ocps",
    dst: defaultDst,
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  };
  return {
    clock,
    store,
    log,
    planner,
    /** Until it pauses. */
    async rounds() {
      let rounds = 0;
      do rounds++;
      while ((await planner.round()) === 0);
      return rounds;
    },
    async put(name: string, over: Partial<ScheduleRule> = {}, payload: string | null = null) {
      const answer = await store.putSchedule({
        id: ids.next(clock.now()),
        namespace: "default",
        name,
        definition: {
          rule: { ...rule, ...over },
          catchUp: { policy: "last", windowMs: 86_400_000, limit: 100 },
          overlap: "allow",
          task: { type: "t", payload, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] },
        },
        now: clock.now(),
        nextFireAt: null,
      });
      if (!("schedule" in answer)) throw new Error(answer.kind);
      return answer.schedule.id;
    },
    /** What falls due until then, by a node's claim. */
    async claim(until: number) {
      const { id: session } = await store.openSession({ node: "node-1", url: null, now: clock.now() });
      const lanes = await store.lanes();
      const targets = ([1, 2, 3] as const).flatMap((band) => lanes.map(({ id }) => ({ laneId: id, band, limit: 100 })));
      return store.claim({ session, targets, until, limit: 100, now: clock.now() });
    },
    async fires(name: string) {
      const { id } = (await store.getSchedule("default", name, clock.now()))!;
      return (await store.listFires(id, { from: 0, to: 1e15, pageSize: 100_000, after: null })).items;
    },
  };
}

test("a schedule that this node cannot plan keeps no other from being planned, and is said once", async () => {
  const t = setup();
  await t.put("bad", { every: null, cron: "0 2 * * *", timeZone: "Mars/Base" });
  await t.put("good");
  await t.rounds();
  await t.rounds();
  expect(await t.fires("good")).toHaveLength(AHEAD);
  expect(t.log.error).toHaveBeenCalledTimes(1);
  expect(t.log.error.mock.calls[0]![0]).toMatchObject({ schedule: "bad" });
});

test("of many schedules that fire often each is planned for the next seconds before any is for minutes", async () => {
  const t = setup({ callMs: 1 });
  const names = Array.from({ length: 60 }, (_, n) => `s-${n}`);
  for (const name of names) await t.put(name);
  const planned = async () => Promise.all(names.map(async (name) => (await t.fires(name)).length));
  while (Math.min(...(await planned())) === 0) await t.planner.round();
  expect(Math.min(...(await planned()))).toBeGreaterThanOrEqual(10);
  expect(Math.max(...(await planned()))).toBeLessThanOrEqual(30);
  await t.rounds();
  expect(new Set(await planned())).toEqual(new Set([AHEAD]));
});

test("however many schedules cannot be planned, the others are", async () => {
  const t = setup();
  for (let n = 0; n < 500; n++) await t.put(`bad-${n}`, { timeZone: "Mars/Base", every: null, cron: "0 2 * * *" });
  await t.clock.advance(1);
  await t.put("good");
  for (let n = 0; n < 5; n++) await t.rounds();
  expect((await t.fires("good")).length).toBeGreaterThan(0);
});

test("planning that takes long is done in slices, without pauses, and completely", async () => {
  const t = setup({ callMs: 3 });
  for (let n = 0; n < 40; n++) await t.put(`s-${n}`);
  expect(await t.rounds()).toBeGreaterThan(5);
  for (let n = 0; n < 40; n++) expect(await t.fires(`s-${n}`)).toHaveLength(AHEAD);
});

test("a round records little more than a thousand fires, and the next goes on at once", async () => {
  const t = setup();
  const names = Array.from({ length: 200 }, (_, n) => `s-${n}`);
  for (const name of names) await t.put(name);
  const recorded = async () => {
    const fires = await Promise.all(names.map((name) => t.fires(name)));
    return fires.reduce((sum, { length }) => sum + length, 0);
  };
  let before = 0;
  for (let pauseMs = 0; pauseMs === 0; ) {
    pauseMs = await t.planner.round();
    const now = await recorded();
    expect(now - before).toBeLessThan(1_300);
    before = now;
  }
  expect(before).toBe(200 * AHEAD);
});

test("a long downtime is worked through without pauses", async () => {
  const t = setup();
  await t.put("every-second");
  await t.rounds();
  const from = t.clock.now();
  await t.clock.advance(3_600_000);
  await t.store.recordDowntime({ from, until: t.clock.now() });
  expect(await t.rounds()).toBeGreaterThan(10);
  const fires = await t.fires("every-second");
  expect(fires).toHaveLength(3_600 + AHEAD);
  expect(fires.filter(({ caughtUp }) => caughtUp)).toHaveLength(1);
});

test("a schedule of so many fires goes on after a downtime until it has had them", async () => {
  const t = setup();
  await t.put("hundred", { maxFires: 100 });
  await t.rounds();
  const from = t.clock.now();
  await t.clock.advance(30_000);
  await t.store.recordDowntime({ from, until: t.clock.now() });
  for (let minute = 0; minute < 5; minute++) {
    await t.rounds();
    await t.clock.advance(60_000);
  }
  const fires = await t.fires("hundred");
  expect(fires.filter(({ outcome }) => outcome === "task")).toHaveLength(100);
  expect(fires.filter(({ outcome }) => outcome === "missed").length).toBeGreaterThan(10);
});

test.each(["an edit", "a pause"])(
  "a schedule of so many fires has them all, though %s came in between",
  async (what) => {
    const t = setup();
    await t.put("three", { every: "10s", maxFires: 3 });
    await t.rounds();
    await t.clock.advance(9_900);
    await t.claim(t.clock.now() + 100);
    if (what === "an edit") {
      await t.put("three", { every: "10s", maxFires: 3, endAt: "2100-01-01T00:00:00Z" });
    } else {
      const pause = { reason: null, now: t.clock.now() };
      await t.store.setPaused("default", "three", { ...pause, paused: true });
      await t.rounds();
      await t.store.setPaused("default", "three", { ...pause, paused: false });
    }
    for (let minute = 0; minute < 3; minute++) {
      await t.rounds();
      await t.clock.advance(60_000);
    }
    expect((await t.fires("three")).map(({ outcome }) => outcome)).toEqual(["task", "task", "task"]);
  },
);

/** A schedule that fires each hour, and a downtime that takes 24 of its fires. */
async function afterDowntime() {
  const t = setup();
  await t.put("hourly", { every: "1h" }, '"old"');
  await t.rounds();
  const from = t.clock.now();
  const setPaused = (paused: boolean) =>
    t.store.setPaused("default", "hourly", { paused, reason: null, now: t.clock.now() });
  const downtime = async () => {
    await t.clock.advance(24.5 * 3_600_000);
    await t.store.recordDowntime({ from, until: t.clock.now() });
  };
  /** What became of the fires until now, counted. */
  const ledger = async () => {
    const counts: Record<string, number> = {};
    for (const { fireAt, outcome, reason, caughtUp, version } of await t.fires("hourly")) {
      if (fireAt > t.clock.now()) continue;
      const what = `${caughtUp ? "caught up" : outcome} ${reason} v${version}`;
      counts[what] = (counts[what] ?? 0) + 1;
    }
    return counts;
  };
  return { ...t, setPaused, downtime, ledger };
}

test("an edit right after a downtime leaves what was missed to the rule of that time", async () => {
  const t = await afterDowntime();
  await t.downtime();
  await t.put("hourly", { every: "7m" }, '"new"');
  const before = (await t.store.getSchedule("default", "hourly", t.clock.now()))!.nextFireAt;
  await t.rounds();
  expect(await t.ledger()).toEqual({ "missed no_node v1": 23, "caught up null v1": 1 });
  const caughtUp = await t.claim(t.clock.now());
  expect(caughtUp.map(({ payload }) => payload)).toEqual(['"old"']);
  const after = (await t.store.getSchedule("default", "hourly", t.clock.now()))!.nextFireAt;
  expect(before).toBeNull();
  expect(after! - t.clock.now()).toBeLessThanOrEqual(7 * 60_000);
  await t.clock.advance(3_600_000);
  await t.rounds();
  const later = (await t.fires("hourly")).filter(({ version }) => version === 2);
  expect(later.length).toBeGreaterThanOrEqual(8);
});

test("fires of a downtime that lies in a pause are skipped, though the schedule is resumed before they are planned", async () => {
  const t = await afterDowntime();
  await t.setPaused(true);
  await t.downtime();
  await t.setPaused(false);
  await t.rounds();
  expect(await t.ledger()).toEqual({ "skipped paused v1": 24 });
});

test("fires that were missed before a pause are missed and caught up, though the schedule is paused by now", async () => {
  const t = await afterDowntime();
  await t.downtime();
  await t.setPaused(true);
  await t.rounds();
  expect(await t.ledger()).toEqual({ "missed no_node v1": 23, "caught up null v1": 1 });
});

test("a rule that this node cannot read holds up its successor no longer", async () => {
  const t = setup();
  await t.put("mended", { every: null, cron: "* * * * * *", timeZone: "Mars/Base" });
  await t.rounds();
  await t.clock.advance(5_000);
  await t.put("mended");
  await t.rounds();
  const fires = await t.fires("mended");
  expect(fires[0]!.fireAt).toBeGreaterThan(t.clock.now());
  expect(fires).toHaveLength(AHEAD);
});

test("a pause that ends by itself skips what is before its end, and the fire at its end is there ahead of time", async () => {
  const t = setup();
  await t.put("every-second");
  await t.rounds();
  const until = Math.floor(t.clock.now() / 1_000) * 1_000 + 30_000;
  await t.store.setPaused("default", "every-second", { paused: true, reason: null, until, now: t.clock.now() });
  await t.rounds();
  await t.clock.advance(20_000);
  await t.rounds();
  const at = (await t.fires("every-second")).find(({ fireAt }) => fireAt === until);
  expect(at).toMatchObject({ outcome: "task", task: { state: "pending", dueAt: until } });
  await t.clock.advance(60_000);
  await t.rounds();
  for (const { fireAt, outcome, reason } of await t.fires("every-second"))
    expect([fireAt, outcome, reason]).toEqual(fireAt < until ? [fireAt, "skipped", "paused"] : [fireAt, "task", null]);
});
