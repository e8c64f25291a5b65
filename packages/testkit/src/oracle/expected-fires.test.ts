import { expect, test } from "vitest";
import { type Downtime, expectedFires, type ScheduleState } from "./expected-fires.ts";
import type { OracleRule } from "./rule.ts";

const MINUTE = 60_000;
const start = Date.UTC(2026, 0, 1);
const at = (minutes: number) => start + minutes * MINUTE;

function every(interval: string): OracleRule {
  const dst = { gap: "next", overlap: "first" } as const;
  return { every: interval, timeZone: "UTC", dialect: "ocps", dst, startAt: null, endAt: null };
}

function state(minutes: number, over: Partial<ScheduleState> = {}): ScheduleState {
  const catchUp = { policy: "last", windowMs: 1_440 * MINUTE, limit: 100 } as const;
  return { at: at(minutes), rule: every("10m"), catchUp, paused: false, maxFires: null, edited: false, ...over };
}

/** `minute outcome`, with a star for what is caught up and a question mark for what may be absent. */
function ledger(states: ScheduleState[], untilMinutes: number, downtimes: Downtime[] = []): string[] {
  return expectedFires(states, downtimes, at(untilMinutes)).map(
    ({ fireAt, outcomes, caughtUp, optional }) =>
      `${(fireAt - start) / MINUTE} ${outcomes.join("|")}${caughtUp ? "*" : ""}${optional ? "?" : ""}`,
  );
}

const downtime = (from: number, until: number) => [{ from: at(from), until: at(until), decidedAt: at(until) }];

test("a schedule fires after it was made, and up to the present", () => {
  expect(ledger([state(10)], 40)).toEqual(["20 task", "30 task", "40 task"]);
});

test("fires of a pause are skipped, its last instant included", () => {
  const states = [state(5), state(15, { paused: true }), state(40)];
  expect(ledger(states, 60)).toEqual(["10 task", "20 skipped", "30 skipped", "40 skipped", "50 task", "60 task"]);
});

test("what was planned before an edit may be withdrawn, unless the new rule fires then too", () => {
  const states = [state(5), state(19, { rule: every("15m"), edited: true })];
  expect(ledger(states, 30)).toEqual(["10 task", "20 withdrawn?", "30 task"]);
  expect(ledger([state(5), state(19, { rule: null, edited: true })], 60)).toEqual(["10 task", "20 withdrawn?"]);
});

test.each([
  ["skip", 100, ["20 missed", "30 missed", "40 missed"]],
  ["last", 100, ["20 missed", "30 missed", "40 task*"]],
  ["all", 100, ["20 task*", "30 task*", "40 task*"]],
  ["all", 2, ["20 missed", "30 task*", "40 task*"]],
] as const)("after a downtime %s of at most %i runs, and ten seconds late is not missed", (policy, limit, wanted) => {
  const given = state(5, { catchUp: { policy, windowMs: 1_440 * MINUTE, limit } });
  expect(ledger([given], 60, downtime(12, 50.1))).toEqual(["10 task", ...wanted, "50 task", "60 task"]);
});

test("what is older than the window stays missed", () => {
  const given = state(5, { catchUp: { policy: "all", windowMs: 15 * MINUTE, limit: 100 } });
  expect(ledger([given], 45, downtime(12, 45))).toEqual(["10 task", "20 missed", "30 task*", "40 task*"]);
});

test("the last of so many fires is a task, whatever was skipped before", () => {
  const states = [state(5, { maxFires: 2 }), state(15, { maxFires: 2, paused: true }), state(25, { maxFires: 2 })];
  expect(ledger(states, 90)).toEqual(["10 task", "20 skipped", "30 task"]);
});
