import { expect, test } from "vitest";
import { NEVER_AGAIN } from "./plan.ts";
import { type DelayedSchedule, planDelayedFires } from "./plan-delay.ts";
import { defaultDst, type ScheduleRule } from "./schedule.ts";

const NOON = Date.UTC(2026, 6, 15, 12);
const MINUTE = 60_000;

const rule: ScheduleRule = {
  cron: null,
  every: null,
  delay: "10m",
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};

/** Minutes from noon, in and out. */
function plan(
  now: number,
  given: Partial<DelayedSchedule> & { more?: Partial<ScheduleRule>; ended?: number } = {},
  { aliveSince = 0, limit = 250 } = {},
) {
  const { more = {}, ended, ...changes } = given;
  const previous =
    ended === undefined ? null : { fireAt: NOON + (ended - 1) * MINUTE, open: false, endedAt: NOON + ended * MINUTE };
  const planned = planDelayedFires(
    {
      id: 7n,
      rule: { ...rule, ...more },
      catchUp: { policy: "last", windowMs: 60 * MINUTE, limit: 1 },
      plannedUntil: NOON,
      firesSoFar: 0,
      paused: false,
      until: null,
      updatedAt: NOON,
      previous,
      ...changes,
    },
    { now: NOON + now * MINUTE, horizonMs: MINUTE, aliveSince: NOON + aliveSince * MINUTE, limit },
  );
  const minutes = (at: number | null) => (at === null ? null : at === NEVER_AGAIN ? "never" : (at - NOON) / MINUTE);
  return {
    fires: planned.fires.map(({ fireAt, outcome, caughtUp }) => [
      minutes(fireAt),
      outcome,
      ...(caughtUp ? ["late"] : []),
    ]),
    until: minutes(planned.plannedUntil),
    next: minutes(planned.nextFireAt),
    more: planned.more,
  };
}

const JUST_BEFORE = 1 / MINUTE;

test("the first fire comes one interval after the creation, or at the start that is given", () => {
  expect(plan(0)).toEqual({ fires: [], until: 10 - JUST_BEFORE, next: 10, more: false });
  expect(plan(9, { plannedUntil: NOON + 10 * MINUTE - 1 })).toMatchObject({
    fires: [[10, "task"]],
    until: "never",
    next: 10,
  });
  expect(plan(0, { more: { startAt: "2026-07-15T12:03:00Z" } })).toMatchObject({ next: 3 });
  expect(plan(0, { more: { startAt: "2026-07-15T11:00:00Z" } })).toMatchObject({ next: 10 });
});

test("while its task is not final nothing is planned; then one interval after its end", () => {
  const previous = { fireAt: NOON + MINUTE, open: true, endedAt: null };
  expect(plan(5, { previous })).toEqual({ fires: [], until: "never", next: null, more: false });
  expect(plan(5, { ended: 5 })).toMatchObject({ fires: [], next: 15 });
  expect(plan(14.5, { ended: 5 })).toMatchObject({ fires: [[15, "task"]], until: "never" });
});

test("an end of which nothing is known any more counts as one at the fire", () => {
  expect(plan(1, { previous: { fireAt: NOON + MINUTE, open: false, endedAt: null } })).toMatchObject({ next: 11 });
});

test("an interval that an edit made shorter has passed: it fires at once", () => {
  const edited = { plannedUntil: NOON + 20 * MINUTE, updatedAt: NOON + 20 * MINUTE };
  expect(plan(20, { ended: 1, ...edited }).fires).toEqual([[20 + JUST_BEFORE, "task"]]);
});

test("a pause skips a fire each interval, and it goes on from the last one", () => {
  const paused = plan(35, { ended: 0, paused: true });
  expect(paused.fires).toEqual([10, 20, 30].map((at) => [at, "skipped"]));
  expect(paused).toMatchObject({ until: 40 - JUST_BEFORE, next: 40 });
  expect(plan(35, { ended: 0, paused: true }, { limit: 2 })).toMatchObject({ until: 20, more: true });
  const resumed = { plannedUntil: NOON + 35 * MINUTE, updatedAt: NOON + 35 * MINUTE };
  const previous = { fireAt: NOON + 30 * MINUTE, open: false, endedAt: null };
  expect(plan(35, { previous, ...resumed })).toMatchObject({ fires: [], next: 40 });
});

test("a fire that no node was alive for is caught up, or missed and the next one counted from now", () => {
  expect(plan(30, { ended: 0 }, { aliveSince: 30 })).toMatchObject({ fires: [[10, "task", "late"]], until: "never" });
  const catchUp = { policy: "skip", windowMs: 0, limit: 1 } as const;
  const missed = plan(30, { ended: 0, catchUp }, { aliveSince: 30 });
  expect(missed).toMatchObject({ fires: [[10, "missed"]], until: 40 - JUST_BEFORE, next: 40 });
  // Planned anew from its mark, it is the same.
  const previous = { fireAt: NOON + 10 * MINUTE, open: false, endedAt: null };
  const later = { previous, catchUp, plannedUntil: NOON + 40 * MINUTE - 1 };
  expect(plan(39.5, later, { aliveSince: 30 })).toMatchObject({ fires: [[40, "task"]] });
});

test("its end and the number of its fires bound it, and a rule of the past plans no further than it was in force", () => {
  expect(plan(9.5, { more: { endAt: "2026-07-15T12:10:00Z" } })).toMatchObject({
    fires: [],
    until: "never",
    next: null,
  });
  expect(plan(9.5, { more: { maxFires: 2 }, firesSoFar: 2 })).toMatchObject({ fires: [], until: "never" });
  expect(plan(30, { until: NOON + 12 * MINUTE })).toMatchObject({ fires: [[10, "task"]], until: 12 });
  expect(plan(30, { until: NOON + 8 * MINUTE })).toMatchObject({ fires: [], until: 8 });
});
