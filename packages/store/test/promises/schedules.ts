import type { NewTask, ScheduleDefinition, SchedulePlan, ScheduleToPlan } from "@carillon/store";
import { expect } from "vitest";
import { final, type Promises, start, type World } from "./world.ts";

export const schedules: Promises = {
  "a schedule is created, left alone when nothing changes, and versioned when something does": async (t) => {
    const first = await put(t);
    expect(first).toMatchObject({ kind: "created", schedule: { version: 1, plannedUntil: t.now, fires: 0 } });
    expect(await put(t)).toMatchObject({ kind: "unchanged", schedule: { version: 1 } });
    t.now += 1_000;
    expect(await put(t, { every: "2m" })).toMatchObject({
      kind: "changed",
      schedule: { version: 2, plannedUntil: start, createdAt: start, updatedAt: t.now },
    });
    expect(await put(t, { expect: "create" })).toEqual({ kind: "exists" });
    expect(await put(t, { expect: 1 })).toEqual({ kind: "version_mismatch" });
  },
  "a fire becomes a task once, whoever plans it how often": async (t) => {
    await put(t);
    const [one, two] = await Promise.all([plan(t, [10]), plan(t, [10])]);
    expect(one.tasks.length + two.tasks.length).toBe(1);
    expect((await plan(t, [10, 20])).tasks.map((task) => task.fireAt)).toEqual([t.now + 20_000]);
    expect(await fires(t)).toMatchObject([
      { outcome: "task", task: { state: "pending" } },
      { outcome: "task", task: { state: "pending" } },
    ]);
    expect(await schedule(t)).toMatchObject({ fires: 2 });
  },
  "a fire stays one for ever, also after its task is final and forgotten": async (t) => {
    await put(t);
    await plan(t, [-10]);
    const [task] = await t.claim();
    await t.record(task!, final("succeeded"));
    await t.store.deleteTask(t.namespace, task!.id);
    expect((await plan(t, [-10])).tasks).toEqual([]);
    expect(await fires(t)).toMatchObject([{ outcome: "task", task: null }]);
  },
  "an edit withdraws what nobody has claimed, and its fires are planned anew": async (t) => {
    await put(t);
    await plan(t, [10, 20]);
    const [held] = await t.claim({ until: t.now + 10_000 });
    await put(t, { every: "2m" });
    expect(await fires(t)).toMatchObject([
      { outcome: "task", task: { id: held!.id }, version: 1 },
      { outcome: "withdrawn", reason: "edited", task: null, version: 1 },
    ]);
    expect(await plan(t, [10, 20])).toMatchObject({ tasks: [{ fireAt: t.now + 20_000 }] });
    expect(await fires(t)).toMatchObject([{ version: 1 }, { outcome: "task", version: 2 }]);
    expect(await schedule(t)).toMatchObject({ fires: 2 });
  },
  "a pause takes away what was planned, and its fires are skipped": async (t) => {
    await put(t);
    await plan(t, [10, 20]);
    await t.store.setPaused(t.namespace, "nightly", { paused: true, reason: "holiday", now: t.now });
    expect(await schedule(t)).toMatchObject({
      paused: true,
      pause: { reason: "holiday", at: t.now, until: null, by: null },
      fires: 0,
    });
    expect(await t.claim({ until: t.now + 60_000 })).toEqual([]);
    await plan(t, [10, 20], "skipped");
    t.now += 15_000;
    await t.store.setPaused(t.namespace, "nightly", { paused: false, reason: null, now: t.now });
    expect(await fires(t)).toMatchObject([{ outcome: "skipped", fireAt: start + 10_000 }]);
    expect((await plan(t, [5])).tasks).toMatchObject([{ fireAt: start + 20_000 }]);
  },
  "a pause is over at its end by itself, and says until then when and by whom": async (t) => {
    await put(t);
    await plan(t, [10]);
    const pause = (until: number | null, reason: string | null = null) =>
      t.store.setPaused(t.namespace, "nightly", { paused: true, reason, until, by: "ada", now: t.now });
    await pause(start + 30_000, "deploy");
    t.now += 5_000;
    const told = { at: start, reason: "deploy", by: "ada" };
    expect(await pause(null)).toMatchObject({ paused: true, pause: { ...told, until: start + 30_000 } });
    expect(await pause(start + 20_000, "deploy")).toMatchObject({ pause: { ...told, until: start + 20_000 } });
    const asked: unknown[] = [];
    for (let turn = 0; turn < 2; turn++)
      await plan(t, [], "skipped", ({ paused, pausedUntil }) => asked.push([paused, pausedUntil]));
    expect(asked).toEqual([
      [true, start + 30_000],
      [true, start + 20_000],
    ]);
    expect(await schedule(t)).toMatchObject({ paused: true });
    t.now = start + 20_000;
    expect(await schedule(t)).toMatchObject({ paused: false, pause: null });
    expect((await t.store.listSchedules(t.namespace, { now: t.now, pageSize: 5, after: null })).items).toMatchObject([
      { paused: false, pause: null },
    ]);
    expect(await t.store.scheduleTimings(t.namespace, { after: null, limit: 5 })).toMatchObject([
      { paused: true, pausedUntil: start + 20_000 },
    ]);
    expect(await t.store.setPaused(t.namespace, "nightly", { paused: false, reason: null, now: t.now })).toMatchObject({
      updatedAt: start + 5_000,
    });
    expect(await pause(null)).toMatchObject({ paused: true, pause: { reason: null, at: t.now, until: null } });
  },
  "what was due before a change is planned by the end that its pause had": async (t) => {
    await put(t);
    const until = start + 20_000;
    await t.store.setPaused(t.namespace, "nightly", { paused: true, reason: null, until, now: t.now });
    t.now += 40_000;
    await put(t, { every: "2m" });
    const asked: unknown[] = [];
    await plan(t, [], "task", (given) => asked.push([given.paused, given.pausedUntil, given.until]));
    expect(asked).toEqual([[true, until, start + 40_000]]);
  },
  "a deleted schedule fires no more, and its name is free": async (t) => {
    await put(t);
    await plan(t, [10]);
    expect(await t.store.deleteSchedule(t.namespace, "nightly", t.now)).toBe(true);
    expect(await t.store.deleteSchedule(t.namespace, "nightly", t.now)).toBe(false);
    expect(await t.claim({ until: t.now + 60_000 })).toEqual([]);
    expect(await schedule(t)).toBeNull();
    expect(await put(t, { expect: "create" })).toMatchObject({ kind: "created", schedule: { version: 1 } });
  },
  "what was due before a schedule was deleted is planned as it would have been, and then nothing more": async (t) => {
    await put(t);
    t.now += 30_000;
    const { id } = (await schedule(t))!;
    await t.store.deleteSchedule(t.namespace, "nightly", t.now);
    await put(t, { every: "2m" });
    const asked: unknown[] = [];
    const { tasks } = await plan(t, [-10], "task", ({ plannedUntil, until, ...given }) => {
      asked.push([given.id === id, plannedUntil, until]);
    });
    expect(asked).toEqual([
      [true, start, t.now],
      [false, t.now, null],
    ]);
    expect(tasks.map(({ scheduleId, fireAt }) => [scheduleId === id, fireAt! - start])).toEqual([
      [true, 20_000],
      [false, 20_000],
    ]);
    t.now += 60_000;
    await plan(t, [], "task", (given) => asked.push([given.id === id]));
    expect(asked.slice(2)).toEqual([[false]]);
  },
  "what is left of a deleted schedule is planned whatever zone data the rest was planned with": async (t) => {
    await put(t);
    t.now += 10_000;
    await put(t, { every: "2m" });
    t.now += 10_000;
    await t.store.deleteSchedule(t.namespace, "nightly", t.now);
    const asked: unknown[] = [];
    const look = (zoneData: string) =>
      plan(t, [], "task", (given) => asked.push([given.version, given.zoneData]), { zoneData });
    await look("2025c");
    await look("2026a");
    await look("2026a");
    expect(asked).toEqual([
      [1, null],
      [2, null],
    ]);
  },
  "a downtime hands what was planned for it back to the planner, once": async (t) => {
    await put(t);
    await plan(t, [10, 40, 80]);
    const from = t.now;
    t.now += 60_000;
    await t.store.recordDowntime({ from, until: t.now });
    expect(await fires(t)).toMatchObject([{ fireAt: start + 80_000 }]);
    expect(await schedule(t)).toMatchObject({ plannedUntil: from, fires: 1 });
    await plan(t, [-50, -20], "missed");
    await t.store.recordDowntime({ from, until: t.now });
    expect((await fires(t)).map(({ outcome }) => outcome)).toEqual(["missed", "missed", "task"]);
    expect(await t.store.downtimes(from)).toEqual([{ from, until: t.now }]);
  },
  "what was due before a change is planned as it would have been without it": async (t) => {
    const asked: unknown[] = [];
    const look = (seconds: number[] = []) =>
      plan(t, seconds, "task", ({ version, definition, paused, plannedUntil, until }) =>
        asked.push([
          version,
          definition.rule.every,
          paused,
          plannedUntil - start,
          until === null ? null : until - start,
        ]),
      );
    await put(t);
    t.now += 10_000.5;
    const edited = await put(t, { every: "2m" });
    expect(edited).toMatchObject({ schedule: { version: 2, plannedUntil: start } });
    t.now += 10_000;
    await t.store.setPaused(t.namespace, "nightly", { paused: true, reason: null, now: t.now });
    t.now += 10_000;
    // Both at once are one change.
    await put(t, { every: "3m", paused: false });
    await put(t, { every: "4m" });
    expect(await schedule(t)).toMatchObject({ version: 4, paused: false, plannedUntil: start });
    await look([-25]);
    for (let turn = 0; turn < 3; turn++) await look();
    expect(asked).toEqual([
      [1, "1m", false, 0, 10_000],
      [2, "2m", false, 10_000, 20_000],
      [2, "2m", true, 20_000, 30_000],
      [4, "4m", false, 30_000, null],
    ]);
    expect(await fires(t)).toMatchObject([{ outcome: "task", version: 1 }]);
  },
  "whoever changes a schedule faster than it is planned is asked to wait": async (t) => {
    await put(t);
    const pause = async (paused: boolean) => {
      t.now += 1_000;
      await t.store.setPaused(t.namespace, "nightly", { paused, reason: null, now: t.now });
    };
    const changes = async () => {
      for (let change = 0; change < 1_000; change++) await pause(change % 2 === 0);
    };
    await expect(changes()).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 1_000 });
    const before = (await schedule(t))!;
    await expect(put(t, { every: "2m" })).rejects.toMatchObject({ code: "unavailable" });
    expect(await schedule(t)).toEqual(before);
    await plan(t, []);
    expect(await put(t, { every: "2m" })).toMatchObject({ kind: "changed" });
  },
  "who plans a rule that ends after so many fires hears which of those ahead have their tasks": async (t) => {
    const ahead: number[][] = [];
    const look = () => plan(t, [], "task", ({ tasksAhead }) => ahead.push(tasksAhead.map((at) => at - start)));
    await put(t, { maxFires: 5 });
    await plan(t, [10, 20]);
    const [held] = await t.claim({ until: t.now + 10_000 });
    await look();
    await put(t, { maxFires: 4 });
    await look();
    await t.record(held!, final("succeeded"));
    await put(t, { maxFires: 3 });
    await look();
    await put(t);
    await look();
    expect(ahead).toEqual([[], [10_000], [10_000], []]);
  },
  "when each of the schedules fires is read in steps, by name": async (t) => {
    for (const name of ["weekly", "daily", "nightly"]) await put(t, { name });
    await plan(t, [10]);
    await t.store.deleteSchedule(t.namespace, "weekly", t.now);
    await t.store.setPaused(t.namespace, "daily", { paused: true, reason: null, now: t.now });
    const step = (after: string | null) => t.store.scheduleTimings(t.namespace, { after, limit: 1 });
    expect(await step(null)).toMatchObject([{ name: "daily", paused: true, rule: { every: "1m" } }]);
    const [nightly] = await step("daily");
    const { id, plannedUntil } = (await schedule(t))!;
    const { rule } = definition("1m", null, {});
    expect(nightly).toEqual({
      id,
      name: "nightly",
      paused: false,
      pausedUntil: null,
      rule,
      calendars: [],
      plannedUntil,
      fires: 1,
    });
    expect(await step("nightly")).toEqual([]);
    expect(await t.store.scheduleTimings("another", { after: null, limit: 10 })).toEqual([]);
  },
  "a schedule shows its last fire and that one's task": async (t) => {
    await put(t);
    await plan(t, [-10, 10]);
    const [task] = await t.claim();
    expect(await schedule(t)).toMatchObject({
      lastFireAt: t.now - 10_000,
      lastTask: { id: task!.id, state: "claimed" },
    });
  },
};

const definition = (
  every: string,
  maxFires: number | null,
  { excludes = [], includes = [] }: { excludes?: string[]; includes?: string[] },
  overlap: ScheduleDefinition["overlap"] = "allow",
  pauseAfterFailures: number | null = null,
): ScheduleDefinition => ({
  rule: {
    cron: null,
    every,
    timeZone: "UTC",
    dialect: "vixie",
    dst: { gap: "next", overlap: "first" },
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires,
  },
  catchUp: { policy: "last", windowMs: 3_600_000, limit: 1 },
  overlap,
  ...(pauseAfterFailures === null ? {} : { pauseAfterFailures }),
  ...(excludes.length > 0 ? { excludes } : {}),
  ...(includes.length > 0 ? { includes } : {}),
  task: { type: "work", payload: null, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] },
});

const withDelay = (given: ScheduleDefinition, delay: string | undefined): ScheduleDefinition =>
  delay === undefined ? given : { ...given, rule: { ...given.rule, every: null, delay } };

export const put = (
  t: World,
  {
    every = "1m",
    maxFires = null,
    excludes = [],
    includes = [],
    overlap = "allow",
    pauseAfterFailures = null,
    delay,
    ...more
  }: {
    name?: string;
    every?: string;
    maxFires?: number | null;
    excludes?: string[];
    includes?: string[];
    overlap?: ScheduleDefinition["overlap"];
    pauseAfterFailures?: number | null;
    delay?: string;
    paused?: boolean;
    expect?: "create" | number;
  } = {},
) =>
  t.store.putSchedule({
    id: t.newTask().id,
    namespace: t.namespace,
    name: "nightly",
    definition: withDelay(definition(every, maxFires, { excludes, includes }, overlap, pauseAfterFailures), delay),
    now: t.now,
    nextFireAt: t.now + 60_000,
    ...more,
  });

export const schedule = (t: World) => t.store.getSchedule(t.namespace, "nightly", t.now);

export const fires = async (t: World) => {
  const { id } = (await schedule(t))!;
  const range = { from: t.now - 3_600_000, to: t.now + 3_600_000 };
  return (await t.store.listFires(id, { ...range, pageSize: 50, after: null })).items;
};

const HORIZON_MS = 60_000;

/** Plans fires at these seconds from now. */
export const plan = (
  t: World,
  seconds: number[],
  outcome: "task" | "skipped" | "missed" = "task",
  asked: (schedule: ScheduleToPlan) => void = () => {},
  { zoneData = null, next = null, ...more }: Partial<NewTask> & { zoneData?: string | null; next?: number | null } = {},
) => {
  const planned = (schedule: ScheduleToPlan): SchedulePlan => {
    asked(schedule);
    return {
      ...(schedule.definition.rule.delay === undefined && schedule.definition.pauseAfterFailures === undefined
        ? {}
        : { lookAt: t.now }),
      // Still behind, so that the next call plans again.
      plannedUntil: Math.min(schedule.until ?? Number.POSITIVE_INFINITY, t.now + HORIZON_MS - 1),
      nextFireAt: next === null ? null : t.now + next * 1_000,
      zoneData,
      fires: seconds.map((second) => {
        const fireAt = t.now + second * 1_000;
        const gateId = schedule.definition.overlap === "allow" ? null : schedule.id;
        const task = t.newTask({
          trigger: "schedule",
          scheduleId: schedule.id,
          fireAt,
          dueAt: fireAt,
          gateId,
          ...more,
        });
        return { fireAt, outcome, reason: null, caughtUp: false, task: outcome === "task" ? task : null };
      }),
    };
  };
  return t.store.planSchedules({ before: t.now + HORIZON_MS, limit: 10, now: t.now }, planned);
};
