import {
  defaultPolicy,
  dependsOnZoneData,
  type Id,
  nextFireAt,
  overlapPolicies,
  planDelayedFires,
  planFires,
} from "@carillon/core";
import type { NewTask, ScheduleDefinition, SchedulePlan, ScheduleRecord, ScheduleToPlan } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { pick, same, unordered, type World } from "../world.ts";
import { everyPage } from "./people.ts";
import { ruleUnder, zoneVersions } from "./zone-data.ts";

const HORIZON_MS = 60_000;

/** Of the kinds of rules: one that zones move, a fixed delay, an interval. */
function whenOf(when: string): Pick<ScheduleDefinition["rule"], "cron" | "every" | "delay" | "timeZone" | "dialect"> {
  if (when === "cron") return { cron: "*/20 * * * * *", every: null, timeZone: "Europe/Paris", dialect: "ocps" };
  const delayed = when.endsWith("end");
  return {
    cron: null,
    ...(delayed ? { every: null, delay: when.slice(0, 2) } : { every: when }),
    timeZone: "UTC",
    dialect: "vixie",
  };
}

const definition = fc
  .record({
    when: fc.constantFrom("7s", "20s", "1h", "12h", "9s after end", "cron", "cron"),
    pauseAfterFailures: fc.constantFrom(null, null, null, 1, 2),
    maxFires: fc.constantFrom(null, null, 4),
    catchUp: fc.constantFrom("skip" as const, "last" as const, "all" as const),
    priority: fc.constantFrom(2, 5),
    overlap: fc.constantFrom("allow" as const, ...overlapPolicies),
    excludes: fc.constantFrom<(string[] | null)[]>(null, null, ["holidays"], ["nights", "holidays"]),
    includes: fc.constantFrom<(string[] | null)[]>(null, null, null, ["nights"]),
    roll: fc.constantFrom(null, null, "next" as const, "previous" as const),
  })
  .map(
    ({
      when,
      maxFires,
      catchUp,
      priority,
      overlap,
      pauseAfterFailures,
      excludes,
      includes,
      roll,
    }): ScheduleDefinition => ({
      rule: {
        ...whenOf(when),
        dst: { gap: "next", overlap: "first" },
        jitter: null,
        startAt: null,
        endAt: null,
        maxFires,
        ...(roll && when === "12h" ? { roll } : {}),
      },
      catchUp: { policy: catchUp, windowMs: 3_600_000, limit: 5 },
      overlap,
      ...(pauseAfterFailures === null ? {} : { pauseAfterFailures }),
      ...(excludes ? { excludes } : {}),
      ...(includes ? { includes } : {}),
      task: { type: "report", payload: '{"of":"day"}', queue: null, priority, retry: null, timeoutMs: null, tags: [] },
    }),
  );

const putSchedule = command(
  "putSchedule",
  fc.record({
    name: nth,
    definition,
    paused: fc.constantFrom(undefined, undefined, true, false),
    expect: fc.constantFrom(undefined, undefined, undefined, "create" as const, 1, 2),
  }),
  async (world, { name: n, definition, paused, expect }) => {
    const { now } = world;
    const [namespace] = world.namespaces;
    const name = pick(world.scheduleNames, n)!;
    const request = {
      id: world.newId(),
      namespace,
      name,
      definition,
      now,
      nextFireAt: nextFireAt(definition.rule, now),
      ...(paused === undefined ? {} : { paused }),
      ...(expect === undefined ? {} : { expect }),
    };
    const answer = await same(world, (store) => store.putSchedule(request));
    if (answer?.kind === "created") world.scheduleIds.push(answer.schedule.id);
  },
);

const deleteSchedule = command("deleteSchedule", nth, async (world, n) => {
  const name = pick(world.scheduleNames, n)!;
  await same(world, (store) => store.deleteSchedule(world.namespaces[0], name, world.now));
});

const setPaused = command(
  "setPaused",
  fc.record({
    name: nth,
    paused: fc.constantFrom(true, true, false),
    reason: fc.constantFrom(null, "holiday"),
    forMs: fc.constantFrom(null, null, 1, 10_000, 60_000),
  }),
  async (world, { name, paused, reason, forMs }) => {
    const until = paused && forMs !== null ? Math.floor(world.now) + forMs : null;
    const request = { paused, reason, until, now: world.now };
    await same(world, (store) => store.setPaused(world.namespaces[0], pick(world.scheduleNames, name)!, request));
  },
);

/** What a planner does, with ids that are the same on both sides. */
const planSchedules = command(
  "planSchedules",
  fc.record({
    limit: fc.constantFrom(1, 3, 50),
    aliveMs: fc.constantFrom(0, 60_000, 86_400_000),
    zoneData: zoneVersions,
  }),
  async (world, { limit, aliveMs, zoneData }) => {
    const { now } = world;
    const tasks = new Map<string, NewTask>();
    const taskOf = (schedule: ScheduleRecord, fireAt: number): NewTask => {
      const key = `${schedule.id} ${fireAt}`;
      let task = tasks.get(key);
      if (!task) {
        task = fireTask(world, schedule, fireAt);
        tasks.set(key, task);
      }
      return task;
    };
    const plan = (schedule: ScheduleToPlan): SchedulePlan => {
      const { definition, plannedUntil, until } = schedule;
      const { catchUp, pauseAfterFailures } = definition;
      const byZones = dependsOnZoneData(definition.rule, schedule.calendars);
      if (byZones && schedule.zoneData !== null && schedule.zoneData !== zoneData) {
        return { fires: [], plannedUntil, nextFireAt: schedule.nextFireAt, zoneData: schedule.zoneData };
      }
      const rule = ruleUnder(zoneData, definition.rule);
      const previous = schedule.previous ?? null;
      const planning = { ...schedule, rule, catchUp, firesSoFar: schedule.fires, previous };
      const time = { now, horizonMs: HORIZON_MS, aliveSince: now - aliveMs, limit };
      const planned = rule.delay === undefined ? planFires(planning, time) : planDelayedFires(planning, time);
      const waits = rule.delay !== undefined || pauseAfterFailures !== undefined;
      return {
        plannedUntil: planned.plannedUntil,
        lookAt: waits ? now : null,
        nextFireAt: until === null ? planned.nextFireAt : schedule.nextFireAt,
        zoneData: byZones ? zoneData : null,
        fires: planned.fires.map(({ fireAt, outcome, reason, caughtUp }) => ({
          fireAt,
          outcome,
          reason,
          caughtUp,
          task: outcome === "task" ? taskOf(schedule, fireAt) : null,
        })),
      };
    };
    await same(
      world,
      async (store) => {
        // A store may ask again, when it has to begin anew.
        const asked = new Map<Id, ScheduleToPlan>();
        const request = { before: now + HORIZON_MS, limit: 100, now };
        const answer = await store.planSchedules(request, (schedule) => {
          asked.set(schedule.id, schedule);
          return plan(schedule);
        });
        return { ...answer, asked };
      },
      ({ schedules, tasks, asked }, side) => ({
        schedules,
        tasks: tasks.map((task) => `${task.id}`).sort(),
        asked: unordered(side, [...asked.values()]),
      }),
    );
    for (const { namespace, id } of tasks.values()) world.tasks.push({ namespace, id });
  },
);

function fireTask(world: World, schedule: ScheduleRecord, fireAt: number): NewTask {
  const { type, payload, priority, tags } = schedule.definition.task;
  return {
    id: world.newId(),
    namespace: schedule.namespace,
    type,
    queue: "default",
    priority,
    dueAt: fireAt,
    policy: defaultPolicy,
    payload,
    trigger: "schedule",
    scheduleId: schedule.id,
    fireAt,
    uniqueKey: null,
    tags,
    replayOf: null,
    gateId: schedule.definition.overlap === "allow" ? null : schedule.id,
  };
}

const judgeGates = command("judgeGates", fc.array(nth, { minLength: 1, maxLength: 3 }), async (world, picked) => {
  const ids = picked.flatMap((n) => pick(world.scheduleIds, n) ?? []);
  await same(
    world,
    (store) => store.judgeGates({ ids, now: world.now }),
    ({ gates, released, recalled, cancelled, paused, replan }, side) => ({
      gates,
      paused,
      replan,
      released: unordered(side, released),
      recalled: unordered(side, recalled),
      cancelled: unordered(side, cancelled),
    }),
  );
});

const getSchedule = command("getSchedule", nth, async (world, n) => {
  const name = pick(world.scheduleNames, n)!;
  await same(world, (store) => store.getSchedule(world.namespaces[0], name, world.now));
});

export async function listFires(world: World, schedule: bigint, filter: { outcome?: "task" | "withdrawn" } = {}) {
  const range = { from: world.now - 2 * 86_400_000, to: world.now + 2 * HORIZON_MS, ...filter };
  await everyPage(world, (store, after) => store.listFires(schedule, { ...range, pageSize: 20, after }));
}

const fires = command(
  "listFires",
  fc.record({ schedule: nth, outcome: fc.constantFrom(undefined, "task", "withdrawn") }),
  async (world, { schedule, outcome }) => {
    const id = pick(world.scheduleIds, schedule);
    if (id !== undefined) await listFires(world, id, outcome === undefined ? {} : { outcome: outcome as "task" });
  },
);

const listSchedules = command(
  "listSchedules",
  fc.constantFrom(undefined, "OFT", "report", "nothing", "%"),
  async (world, text) => {
    const query = { now: world.now, pageSize: 2, ...(text === undefined ? {} : { text }) };
    await everyPage(world, (store, after) => store.listSchedules(world.namespaces[0], { ...query, after }));
  },
);

export const scheduleCommands = [
  ...Array.from({ length: 5 }, () => putSchedule),
  ...Array.from({ length: 6 }, () => planSchedules),
  ...Array.from({ length: 6 }, () => judgeGates),
  deleteSchedule,
  setPaused,
  setPaused,
  getSchedule,
  fires,
  listSchedules,
];
