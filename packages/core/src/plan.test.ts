import fc from "fast-check";
import { expect, test } from "vitest";
import type { CatchUp } from "./catch-up.ts";
import { parseInstant } from "./instant.ts";
import { MISSED_AFTER_MS, NEVER_AGAIN, type PlannedFireDecision, type PlanningSchedule, planFires } from "./plan.ts";
import { defaultDst, firesBetween, type ScheduleRule } from "./schedule.ts";

const NOW = parseInstant("2026-11-21T12:00:00Z")!;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const everyMinute: ScheduleRule = {
  cron: "* * * * *",
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const last: CatchUp = { policy: "last", windowMs: DAY, limit: 100 };

function schedule(changes: Partial<PlanningSchedule> = {}): PlanningSchedule {
  const none = { firesSoFar: 0, tasksAhead: [], paused: false, until: null };
  return { id: 1n, rule: everyMinute, catchUp: last, plannedUntil: NOW, ...none, ...changes };
}

const time = { now: NOW, horizonMs: MINUTE, limit: 1_000 };

function outcomes(fires: PlannedFireDecision[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const fire of fires) {
    const kind = fire.caughtUp ? "caughtUp" : fire.outcome;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Asks again and again, as the planner does, until the mark is through. */
function planAll(given: PlanningSchedule, limit: number, aliveSince = NOW): PlannedFireDecision[] {
  const fires: PlannedFireDecision[] = [];
  let { plannedUntil, firesSoFar } = given;
  for (let turn = 0; ; turn++) {
    const plan = planFires(
      { ...given, plannedUntil, firesSoFar },
      { ...time, now: NOW + turn * 100, limit, aliveSince, deadSince: given.plannedUntil },
    );
    expect(plan.fires.length).toBeLessThanOrEqual(limit);
    expect(plan.plannedUntil).toBeGreaterThan(plannedUntil);
    fires.push(...plan.fires);
    plannedUntil = plan.plannedUntil;
    firesSoFar += plan.fires.filter((fire) => fire.outcome === "task").length;
    if (!plan.more) return fires;
  }
}

test("a pause with an end skips what comes before that instant; the fire at it and later ones are tasks", () => {
  const given = { paused: true, pausedUntil: NOW + 2 * MINUTE, plannedUntil: NOW };
  const { fires } = planFires(schedule(given), { ...time, horizonMs: 3 * MINUTE });
  expect(fires.map(({ fireAt, outcome, reason }) => [fireAt - NOW, outcome, reason])).toEqual([
    [MINUTE, "skipped", "paused"],
    [2 * MINUTE, "task", null],
    [3 * MINUTE, "task", null],
  ]);
});

test("of a downtime across the end of a pause, what the pause covers is skipped and the rest missed and caught up", () => {
  const given = { paused: true, pausedUntil: NOW - HOUR, plannedUntil: NOW - 2 * HOUR };
  const fires = planAll(schedule(given), 50);
  expect(outcomes(fires)).toEqual({ skipped: 59, missed: 59, caughtUp: 1, task: 2 });
  expect(fires.filter(({ fireAt }) => fireAt < NOW - HOUR).every(({ reason }) => reason === "paused")).toBe(true);
});

test("plans what lies ahead, up to the horizon, as tasks", () => {
  const plan = planFires(schedule(), { ...time, horizonMs: 3 * MINUTE });
  expect(plan.fires.map(({ fireAt, outcome }) => [fireAt - NOW, outcome])).toEqual([
    [MINUTE, "task"],
    [2 * MINUTE, "task"],
    [3 * MINUTE, "task"],
  ]);
  expect(plan).toMatchObject({ nextFireAt: NOW + MINUTE, plannedUntil: NOW + 4 * MINUTE - 1, more: false });
});

test("the mark goes to just before the next fire, so that a yearly schedule is not looked at each minute", () => {
  const rule = { ...everyMinute, cron: "0 0 1 1 *" };
  const newYear = parseInstant("2027-01-01T00:00:00Z")!;
  expect(planFires(schedule({ rule }), time)).toEqual({
    fires: [],
    plannedUntil: newYear - 1,
    nextFireAt: newYear,
    more: false,
  });
  const early = { ...time, now: newYear - MINUTE };
  expect(planFires(schedule({ rule, plannedUntil: newYear - 1 }), early).fires).toMatchObject([{ fireAt: newYear }]);
});

test("a fire that is late by ten seconds or less is planned as if nothing had happened", () => {
  const fireAt = NOW;
  for (const late of [0, 1, MISSED_AFTER_MS]) {
    const plan = planFires(schedule({ plannedUntil: NOW - 1 }), { ...time, now: fireAt + late });
    expect(plan.fires[0]).toMatchObject({ fireAt, outcome: "task", caughtUp: false });
  }
  const plan = planFires(schedule({ plannedUntil: NOW - 1 }), { ...time, now: fireAt + MISSED_AFTER_MS + 1 });
  expect(plan.fires[0]).toMatchObject({ fireAt, outcome: "task", caughtUp: true });
});

test("a planner that is behind while nodes were alive misses nothing", () => {
  const behind = schedule({ plannedUntil: NOW - HOUR, catchUp: { ...last, policy: "skip" } });
  const plan = planFires(behind, { ...time, aliveSince: NOW - HOUR });
  expect(outcomes(plan.fires)).toEqual({ task: 61 });
});

test.each([
  ["skip", DAY, 100, { missed: 180, task: 1 }],
  ["last", DAY, 100, { missed: 179, caughtUp: 1, task: 1 }],
  ["last", 1_000, 100, { missed: 180, task: 1 }],
  ["all", DAY, 100, { missed: 80, caughtUp: 100, task: 1 }],
  ["all", DAY, 1_000, { caughtUp: 180, task: 1 }],
  ["all", HOUR, 100, { missed: 120, caughtUp: 60, task: 1 }],
] as const)("after three hours without a node, %s within %i ms and at most %i", (policy, windowMs, limit, wanted) => {
  // The fire at `now` itself is not missed; it is left out by starting half a minute earlier.
  const given = schedule({ plannedUntil: NOW - 3 * HOUR - 30_000, catchUp: { policy, windowMs, limit } });
  const whole = planFires(given, { ...time, now: NOW - 30_000 });
  expect(outcomes(whole.fires)).toEqual(wanted);
  expect(whole.fires.map((fire) => fire.fireAt)).toEqual(
    firesBetween(everyMinute, given.plannedUntil, NOW + 30_000, 1_000),
  );
});

test.each(["skip", "last", "all"] as const)("%s chooses the same fires however small the answers are", (policy) => {
  const given = schedule({ plannedUntil: NOW - 5 * HOUR, catchUp: { policy, windowMs: 4 * HOUR, limit: 50 } });
  const whole = planAll(given, 100_000);
  for (const limit of [1, 7, 100]) expect(planAll(given, limit)).toEqual(whole);
});

test("missed fires that run after all are due one a second, in their order, from when a node is back", () => {
  const given = schedule({ plannedUntil: NOW - HOUR, catchUp: { policy: "all", windowMs: DAY, limit: 20 } });
  for (const limit of [3, 1_000]) {
    const caughtUp = planAll(given, limit).filter((fire) => fire.caughtUp);
    expect(caughtUp.map(({ dueAt }) => dueAt)).toEqual(Array.from({ length: 20 }, (_, rank) => NOW + rank * 1_000));
  }
  const fewer = planAll({ ...given, catchUp: { ...given.catchUp, windowMs: 5 * MINUTE + 10_000 } }, 2);
  expect(fewer.filter((fire) => fire.caughtUp).map(({ dueAt }) => dueAt - NOW)).toEqual([
    0, 1_000, 2_000, 3_000, 4_000,
  ]);
});

test("catch-up runs the latest missed fire, and says so", () => {
  const plan = planFires(schedule({ plannedUntil: NOW - 5 * MINUTE }), { ...time, now: NOW + 30_000 });
  const caughtUp = plan.fires.filter((fire) => fire.caughtUp);
  expect(caughtUp).toEqual([{ fireAt: NOW, dueAt: NOW + 30_000, outcome: "task", reason: null, caughtUp: true }]);
  expect(plan.fires.filter((fire) => fire.outcome === "missed").every((fire) => fire.reason === "no_node")).toBe(true);
});

test("fires during a pause are skipped, past and coming ones, and never caught up", () => {
  const given = schedule({ plannedUntil: NOW - HOUR, paused: true, catchUp: { ...last, policy: "all" } });
  const plan = planFires(given, time);
  expect(outcomes(plan.fires)).toEqual({ skipped: 61 });
  expect(plan.fires.every((fire) => fire.reason === "paused")).toBe(true);
});

test("thirty days of a schedule of one per second are taken in bounded, quick steps", () => {
  const rule = { ...everyMinute, cron: "* * * * * *" };
  for (const policy of ["skip", "last", "all"] as const) {
    const given = schedule({
      rule,
      plannedUntil: NOW - 30 * DAY,
      catchUp: { policy, windowMs: 365 * DAY, limit: 100 },
    });
    const started = performance.now();
    const plan = planFires(given, { ...time, limit: 500 });
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(plan).toMatchObject({ more: true, plannedUntil: NOW - 30 * DAY + 500_000 });
    expect(outcomes(plan.fires)).toEqual({ missed: 500 });
    const end = planFires({ ...given, plannedUntil: NOW - 100_000 }, { ...time, limit: 500, aliveSince: NOW });
    expect(outcomes(end.fires).caughtUp ?? 0).toBe({ skip: 0, last: 1, all: 89 }[policy]);
  }
});

test("a schedule ends after so many tasks; what was missed or skipped does not count", () => {
  const rule = { ...everyMinute, maxFires: 5 };
  const plan = planFires(schedule({ rule, firesSoFar: 3 }), { ...time, horizonMs: HOUR });
  expect(plan).toMatchObject({ plannedUntil: NEVER_AGAIN, nextFireAt: NOW + MINUTE, more: false });
  expect(outcomes(plan.fires)).toEqual({ task: 2 });
  const missed = planFires(schedule({ rule, firesSoFar: 4, plannedUntil: NOW - HOUR }), time);
  expect(outcomes(missed.fires)).toEqual({ missed: 58, caughtUp: 1 });
  expect(missed.nextFireAt).toBeNull();
  const over = planFires(schedule({ rule, firesSoFar: 5 }), time);
  expect(over).toEqual({ fires: [], plannedUntil: NEVER_AGAIN, nextFireAt: null, more: false });
});

test("a mark that went back counts the fires that kept their tasks once", () => {
  const given = schedule({ rule: { ...everyMinute, maxFires: 5 }, firesSoFar: 3, tasksAhead: [NOW + 2 * MINUTE] });
  const plan = planFires(given, { ...time, horizonMs: HOUR });
  expect(plan.fires.map(({ fireAt }) => fireAt - NOW)).toEqual([MINUTE, 2 * MINUTE, 3 * MINUTE]);
  expect(plan).toMatchObject({ plannedUntil: NEVER_AGAIN, more: false });
  // One that the rule no longer has, or that counts as missed by now, is one of the five all the same.
  const kept = { firesSoFar: 4, plannedUntil: NOW - HOUR, tasksAhead: [NOW - HOUR + 1, NOW - HOUR + MINUTE] };
  const skip: CatchUp = { ...last, policy: "skip" };
  const later = planFires({ ...given, ...kept, catchUp: skip }, { ...time, horizonMs: HOUR });
  expect(outcomes(later.fires)).toEqual({ missed: 59, task: 1 });
  // All five have their tasks: the next fire is the next of these.
  const all = { firesSoFar: 5, tasksAhead: [NOW + MINUTE, NOW + 2 * MINUTE] };
  expect(planFires({ ...given, ...all }, time)).toMatchObject({ fires: [], nextFireAt: NOW + MINUTE });
  expect(planFires({ ...given, ...all }, { ...time, now: NOW + 2 * MINUTE }).nextFireAt).toBeNull();
});

test("a rule that is no longer in force is planned up to its end, and not beyond", () => {
  const given = schedule({
    plannedUntil: NOW - 2 * HOUR,
    until: NOW - HOUR + 0.5,
    catchUp: { ...last, policy: "all" },
  });
  const plan = planFires(given, { ...time, limit: 50 });
  expect(plan).toMatchObject({ more: true, plannedUntil: NOW - 70 * MINUTE });
  const rest = planFires({ ...given, plannedUntil: plan.plannedUntil }, { ...time, limit: 50 });
  expect(rest).toMatchObject({ more: false, plannedUntil: NOW - HOUR });
  expect(rest.fires.map(({ fireAt }) => fireAt)).toEqual(firesBetween(everyMinute, NOW - 70 * MINUTE, NOW - HOUR, 100));
  // Its last missed fire is caught up, whatever its successor would have missed later.
  const latest = planFires({ ...given, catchUp: last }, time);
  expect(latest.fires.filter(({ caughtUp }) => caughtUp).map(({ fireAt }) => fireAt)).toEqual([NOW - HOUR]);
  const yearly = { ...everyMinute, cron: "0 0 1 1 *" };
  const ended = { ...everyMinute, endAt: "2026-01-01T00:00:00Z" };
  for (const rule of [yearly, ended, { ...everyMinute, maxFires: 0 }]) {
    expect(planFires({ ...given, rule }, time)).toMatchObject({ fires: [], plannedUntil: NOW - HOUR });
  }
});

test("a schedule ends at its end and waits for its start", () => {
  const ended = { ...everyMinute, endAt: "2026-11-21T11:00:00Z" };
  expect(planFires(schedule({ rule: ended }), time)).toMatchObject({
    fires: [],
    plannedUntil: NEVER_AGAIN,
    nextFireAt: null,
  });
  const later = { ...everyMinute, startAt: "2026-12-01T00:00:00Z" };
  const start = parseInstant("2026-12-01T00:00:00Z")!;
  expect(planFires(schedule({ rule: later }), time)).toMatchObject({
    fires: [],
    plannedUntil: start - 1,
    nextFireAt: start,
  });
});

test("tasks are due with their jitter, missed fires at their instant, and the one that is caught up now", () => {
  const rule = { ...everyMinute, jitter: "50s" };
  const plan = planFires(schedule({ rule, plannedUntil: NOW - HOUR }), { ...time, horizonMs: 10 * MINUTE });
  for (const fire of plan.fires) {
    if (fire.outcome === "missed") expect(fire.dueAt).toBe(fire.fireAt);
    else if (fire.caughtUp) expect(fire.dueAt).toBe(NOW);
    else expect(fire.dueAt - fire.fireAt).toBeLessThan(50_001);
  }
  expect(plan.fires.some((fire) => fire.dueAt > fire.fireAt)).toBe(true);
});

test("a clock with fractions plans the same", () => {
  const plan = planFires(schedule({ plannedUntil: NOW + 0.25 }), { ...time, now: NOW + 0.75 });
  expect(plan.fires.map((fire) => fire.fireAt)).toEqual([NOW + MINUTE]);
  expect(Number.isInteger(plan.plannedUntil)).toBe(true);
});

test("turn after turn every fire is decided exactly once", () => {
  const steps = fc.array(
    fc.record({ wait: fc.integer({ min: 1, max: 400_000 }), limit: fc.integer({ min: 1, max: 20 }) }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(
      steps,
      fc.constantFrom("skip", "last", "all"),
      fc.constantFrom("* * * * *", "*/7 * * * * *", "0 13 * * *"),
      (turns, policy, cron) => {
        const rule = { ...everyMinute, cron };
        let given = schedule({ rule, catchUp: { policy, windowMs: HOUR, limit: 3 } });
        let now = NOW;
        const decided: number[] = [];
        for (const { wait, limit } of turns) {
          now += wait;
          const plan = planFires(given, { now, horizonMs: MINUTE, limit });
          decided.push(...plan.fires.map((fire) => fire.fireAt));
          given = { ...given, plannedUntil: plan.plannedUntil };
        }
        expect(decided).toEqual(firesBetween(rule, NOW, given.plannedUntil, 1_000_000));
      },
    ),
    { numRuns: 200 },
  );
});
