import { createIdSource, defaultDst, defaultPolicy, type ScheduleRule } from "@carillon/core";
import {
  createFaults,
  createMemoryDatabase,
  createMemoryStore,
  type ScheduleDefinition,
  withFaults,
} from "@carillon/store";
import { newTask, noLog, VirtualClock } from "@carillon/testkit";
import { expect, test } from "vitest";
import { decideDowntime } from "./downtime.ts";
import { Loop } from "./loop.ts";
import { createPlanner } from "./planner.ts";
import { createReaper } from "./reaper.ts";
import { createSession } from "./session.ts";

function setup() {
  const clock = new VirtualClock();
  const database = createMemoryDatabase({ now: () => clock.now() });
  const plain = createMemoryStore(database);
  const delay = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  const faults = createFaults({ random: Math.random, delay, timeoutMs: 500 });
  const store = withFaults(plain, faults);
  const ids = createIdSource({ cell: 0, slot: 1 });
  const session = (node = "node-1") =>
    createSession({ store, clock, log: noLog, node, url: `http://${node}`, onRecalls() {}, onReopened() {} });
  /** Runs rounds as a loop does, for so long. */
  async function rounds(round: () => Promise<number>, ms: number): Promise<void> {
    const loop = new Loop({ name: "test", clock, random: () => 0, round, onError() {} });
    loop.start();
    await clock.advance(ms);
    await Promise.all([loop.stop(), clock.advance(1_000)]);
  }
  const putSchedule = (name: string, rule: Partial<ScheduleRule>, over: Partial<ScheduleDefinition["task"]> = {}) =>
    store.putSchedule({
      id: ids.next(clock.now()),
      namespace: "default",
      name,
      definition: {
        rule: { ...plainRule, ...rule },
        catchUp: { policy: "last", windowMs: 86_400_000, limit: 100 },
        overlap: "allow",
        task: { type: "t", payload: null, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [], ...over },
      },
      now: clock.now(),
      nextFireAt: null,
    });
  const planner = () => createPlanner({ store, clock, ids, log: noLog, noticeCreated() {} });
  return { clock, database, store, faults, ids, session, rounds, putSchedule, planner };
}

const plainRule: ScheduleRule = {
  cron: null,
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};

// --------------------------------------------------------------------------------------------------------------------- loop

test("a loop runs again after its pause, at once when woken, and slower while it fails", async () => {
  const { clock } = setup();
  const ran: number[] = [];
  let failing = false;
  const errors: string[] = [];
  const loop = new Loop({
    name: "l",
    clock,
    random: () => 0,
    async round() {
      ran.push(clock.monotonic());
      if (failing) throw new Error("no");
      return 400;
    },
    onError: (name) => errors.push(name),
  });
  loop.start();
  await clock.advance(500);
  expect(ran).toEqual([0, 400]);
  loop.wake();
  await clock.advance(1);
  expect(ran.at(-1)).toBe(500);
  failing = true;
  loop.wake();
  await clock.advance(10_000);
  expect(ran.length).toBeLessThan(20);
  expect(errors).toEqual(["l"]);
  const before = ran.length;
  await Promise.all([loop.stop(), clock.advance(2_000)]);
  await clock.advance(5_000);
  expect(ran.length - before).toBeLessThanOrEqual(1);
});

test("a pause of minutes is kept, by timers of a second at most", async () => {
  const { clock } = setup();
  const ran: number[] = [];
  const longest: number[] = [];
  const watched = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after(ms: number, callback: () => void) {
      longest.push(ms);
      return clock.after(ms, callback);
    },
  };
  const round = async () => ran.push(clock.monotonic()) && 120_000;
  const loop = new Loop({ name: "l", clock: watched, random: () => 0, round, onError() {} });
  loop.start();
  await clock.advance(250_000);
  expect(ran).toEqual([0, 120_000, 240_000]);
  expect(Math.max(...longest)).toBeLessThanOrEqual(1_000);
});

// ------------------------------------------------------------------------------------------------------------------ session

test("a session is safe for 2.5 s after its last renewal was sent", async () => {
  const { clock, session } = setup();
  const node = session();
  expect(node.safe()).toBe(false);
  await node.open();
  await clock.advance(2_400);
  expect([node.safe(), node.cutOff()]).toEqual([true, true]);
  await clock.advance(200);
  expect(node.safe()).toBe(false);
  await node.renew();
  expect([node.safe(), node.cutOff()]).toEqual([true, false]);
});

test("after others took it for dead, a node opens another session with another slot", async () => {
  const { clock, store, session } = setup();
  const node = session();
  const first = await node.open();
  const made = node.ids.next(clock.now());
  await store.markSessionDead(first.id, 0n, clock.now());
  expect(await node.renew()).toBe(0);
  expect(node.id).toBeNull();
  await node.renew();
  expect(node.id).toBe(first.id + 1n);
  expect(node.ids.next(clock.now())).not.toBe(made);
});

// ------------------------------------------------------------------------------------------------------------------- reaper

test("a node whose beat stands still for 3 s is marked dead, and its tasks are taken back 1.5 s later", async () => {
  const { clock, store, ids, session, rounds } = setup();
  const task = newTask(ids.next(clock.now()), { dueAt: clock.now() });
  const dying = session("dying");
  await dying.open();
  await store.createTasks([task], { now: clock.now(), claim: { session: dying.id!, count: 1 } });
  const living = session("living");
  await living.open();
  let takenBackAt = 0;
  const reaper = createReaper({
    store,
    clock,
    log: noLog,
    session: living,
    onTakenBack: () => {
      takenBackAt = clock.monotonic();
    },
  });
  let deadEarly = true;
  clock.after(2_900, async () => {
    deadEarly = (await store.sessions()).some(({ deadAt }) => deadAt !== null);
  });
  await rounds(reaper.round, 6_000);
  expect(deadEarly).toBe(false);
  expect(takenBackAt).toBeGreaterThanOrEqual(4_500);
  expect(takenBackAt).toBeLessThan(6_000);
  expect(await store.getTask("default", task.id)).toMatchObject({ state: "pending", attempt: 0 });
});

test("a node that renews is never marked dead, and its address is known to the others", async () => {
  const { clock, store, session, rounds } = setup();
  const [other, own] = [session("other"), session("own")];
  await other.open();
  await own.open();
  const reaper = createReaper({ store, clock, log: noLog, session: own, onTakenBack() {} });
  const beating = rounds(() => other.renew(), 30_000);
  await Promise.all([beating, rounds(reaper.round, 30_000)]);
  expect((await store.sessions()).every(({ deadAt }) => deadAt === null)).toBe(true);
  expect(reaper.peers()).toEqual(["http://other"]);
});

test("an outage of the database kills nobody: observations begin anew", async () => {
  const { clock, store, faults, session, rounds } = setup();
  const [other, own] = [session("other"), session("own")];
  await other.open();
  await own.open();
  const reaper = createReaper({ store, clock, log: noLog, session: own, onTakenBack() {} });
  const beating = rounds(() => other.renew().catch(() => 500), 20_000);
  const reaping = rounds(reaper.round, 20_000);
  clock.after(2_000, () => {
    faults.cutOff = true;
  });
  clock.after(12_000, () => {
    faults.cutOff = false;
  });
  await Promise.all([beating, reaping]);
  expect((await store.sessions()).every(({ deadAt }) => deadAt === null)).toBe(true);
});

test("a process that stood still for long does not take its own absence for others' death", async () => {
  const { clock, store, session } = setup();
  const [other, own] = [session("other"), session("own")];
  await other.open();
  await own.open();
  const reaper = createReaper({ store, clock, log: noLog, session: own, onTakenBack() {} });
  for (let round = 0; round < 5; round++) {
    await reaper.round();
    await clock.advance(10_000);
  }
  expect((await store.sessions()).every(({ deadAt }) => deadAt === null)).toBe(true);
});

// ------------------------------------------------------------------------------------------------------------------ planner

test("fires become tasks ahead of time, each once, whoever plans", async () => {
  const { clock, store, database, rounds, putSchedule, planner } = setup();
  await putSchedule("s", { every: "5s" });
  const [first, second] = [planner(), planner()];
  await Promise.all([rounds(first.round, 30_000), rounds(second.round, 30_000)]);
  const fires = [...database.fires.values()].flatMap((rows) => [...rows.values()]);
  expect(new Set(fires.map(({ fireAt }) => fireAt)).size).toBe(fires.length);
  expect(database.tasks.size).toBe(fires.length);
  expect(Math.max(...fires.map(({ fireAt }) => fireAt))).toBeGreaterThan(clock.now() + 25_000);
  const { items } = await store.listFires(database.schedules.keys().next().value!, {
    from: 0,
    to: 1e15,
    pageSize: 100,
    after: null,
  });
  expect(items.every(({ outcome }) => outcome === "task")).toBe(true);
});

test("what a schedule leaves out comes from the type's declaration, else from the defaults", async () => {
  const { clock, store, database, rounds, putSchedule, planner } = setup();
  const retry = { ...defaultPolicy.retry, maxAttempts: 9 };
  await store.declareTypes(
    "default",
    [{ type: "t", queue: "billing", policy: { retry, timeoutMs: null } }],
    clock.now(),
  );
  await putSchedule("declared", { every: "1m" });
  await putSchedule("own", { every: "1m" }, { queue: "mine", timeoutMs: 5_000 });
  await rounds(planner().round, 40_000);
  const tasks = [...database.tasks.values()].map(({ lane, policy }) => ({ queue: lane.queue, ...policy }));
  expect(tasks).toContainEqual({ queue: "billing", retry, timeoutMs: defaultPolicy.timeoutMs });
  expect(tasks).toContainEqual({ queue: "mine", retry, timeoutMs: 5_000 });
});

test("a schedule that fires once a year costs the planner nothing until shortly before", async () => {
  const { store, database, rounds, putSchedule, planner } = setup();
  await putSchedule("yearly", { cron: "0 0 25 12 *" });
  await rounds(planner().round, 3_000);
  const [row] = [...database.schedules.values()];
  expect(row!.plannedUntil).toBe(Date.UTC(2026, 11, 25) - 1);
  expect(
    (await store.planSchedules({ before: Date.UTC(2026, 11, 24), limit: 10, now: 0 }, () => ({}) as never)).schedules,
  ).toBe(0);
});

// ----------------------------------------------------------------------------------------------------------------- downtime

test("after a day without any node its fires are missed, but for the one that catch-up runs", async () => {
  const { clock, store, database, session, rounds, putSchedule, planner } = setup();
  const before = session("before");
  await before.open();
  await before.started();
  await putSchedule("hourly", { every: "1h" });
  await rounds(planner().round, 2_000);
  await before.renew();
  const lastSeenAt = clock.now();
  await clock.advance(86_460_000);

  const after = session("after");
  const opened = await after.open();
  expect(opened.lastSeenAt).toBe(lastSeenAt);
  const reaper = createReaper({ store, clock, log: noLog, session: after, onTakenBack() {} });
  const decided = decideDowntime(opened, { store, clock, log: noLog, stopped: () => false });
  await rounds(reaper.round, 6_000);
  await decided;
  const [downtime] = await store.downtimes(0);
  expect(downtime).toMatchObject({ from: lastSeenAt });
  await rounds(planner().round, 3_000);
  const fires = [...database.fires.values()].flatMap((rows) => [...rows.values()]);
  const past = fires.filter(({ fireAt }) => fireAt < clock.now());
  expect(past).toHaveLength(24);
  expect(past.filter(({ outcome }) => outcome === "missed")).toHaveLength(23);
  expect(past.filter(({ caughtUp }) => caughtUp).map(({ outcome }) => outcome)).toEqual(["task"]);
});

test("a node that is stopped before it knows whether there was a downtime asks no more", async () => {
  const { clock, store, session } = setup();
  const before = session("before");
  await before.open();
  await before.started();
  await clock.advance(3_600_000);
  const opened = await session("after").open();
  let stopped = false;
  const decided = decideDowntime(opened, { store, clock, log: noLog, stopped: () => stopped });
  await clock.advance(1_000);
  stopped = true;
  await Promise.all([decided, clock.advance(1_000)]);
  expect(await store.downtimes(0)).toEqual([]);
});

test("a node that dies at its start hides no downtime from the next", async () => {
  const { clock, session } = setup();
  const before = session("before");
  await before.open();
  await before.started();
  const lastSeenAt = clock.now();
  await clock.advance(3_600_000);
  await session("died at its start").open();
  await clock.advance(2_000);
  expect(await session("next").open()).toMatchObject({ lastSeenAt });
});

test("of two nodes that start together after a downtime, neither begins before it is recorded", async () => {
  const { clock, store, session, rounds } = setup();
  const before = session("before");
  await before.open();
  await before.started();
  await clock.advance(3_600_000);
  const [first, second] = [session("first"), session("second")];
  const begun: string[] = [];
  const start = async (node: typeof first, name: string) => {
    await decideDowntime(await node.open(), { store, clock, log: noLog, stopped: () => false });
    expect(await store.downtimes(0)).toHaveLength(1);
    await node.started();
    begun.push(name);
  };
  const starts = [start(first, "first"), start(second, "second")];
  const reaper = createReaper({ store, clock, log: noLog, session: first, onTakenBack() {} });
  await rounds(async () => {
    await Promise.all([first.renew(), second.renew()]);
    return reaper.round();
  }, 10_000);
  await Promise.all(starts);
  expect(begun).toEqual(["first", "second"]);
  expect(await store.downtimes(0)).toHaveLength(1);
});

test("a node that joins others decides at once that there was no downtime", async () => {
  const { clock, store, session } = setup();
  const first = session("first");
  await first.open();
  await first.started();
  await clock.advance(5_000);
  const opened = await session("second").open();
  await decideDowntime(opened, { store, clock, log: noLog, stopped: () => false });
  expect(await store.downtimes(0)).toEqual([]);
});

test("a node that was merely slow to renew makes no downtime", async () => {
  const { clock, store, session } = setup();
  const first = session("first");
  await first.open();
  await first.started();
  await clock.advance(20_000);
  const opened = await session("second").open();
  const decided = decideDowntime(opened, { store, clock, log: noLog, stopped: () => false });
  clock.after(1_000, () => void first.renew());
  await clock.advance(3_000);
  await decided;
  expect(await store.downtimes(0)).toEqual([]);
});
