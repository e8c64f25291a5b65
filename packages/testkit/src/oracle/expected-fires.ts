/**
 * What the ledger must say, from what was done to a schedule and when nobody was alive. Each state of the schedule decides about the fires
 * after the instant at which it began, up to the one at which the next began. What a pause, a calendar or a downtime does to one of them
 * is a rule of `fates`, tried in order; a policy that is added becomes another rule.
 */
import { firesOfRule, type OracleRule } from "./rule.ts";

export interface CatchUpPolicy {
  policy: "skip" | "last" | "all";
  windowMs: number;
  limit: number;
}

/** In force from an instant on. */
export interface ScheduleState {
  at: number;
  /** Null: the schedule is deleted. */
  rule: OracleRule | null;
  catchUp: CatchUpPolicy;
  paused: boolean;
  maxFires: number | null;
  /** The definition changed here, so that what was planned under the one before is withdrawn. */
  edited: boolean;
}

/** No node was alive; `decidedAt`: a planner looked at what it missed. */
export interface Downtime {
  from: number;
  until: number;
  decidedAt: number;
  /** Some node did work meanwhile, but could not say that it was alive: what is missed otherwise may be a task. */
  unseen?: boolean;
}

export interface ExpectedFire {
  fireAt: number;
  /** Any of these. */
  outcomes: readonly string[];
  caughtUp?: boolean;
  /** It may also be absent. */
  optional?: boolean;
}

/** A fire is missed when no node was alive at its instant nor so long after it. */
const MISSED_AFTER_MS = 10_000;
/** Tasks are made so long before their instant at most, and claimed so long before it. */
const PLANNED_AHEAD_MS = 151_000;
const CLAIMED_AHEAD_MS = 1_100;

/** Of one schedule, up to and including `until`, in order. */
export function expectedFires(
  states: readonly ScheduleState[],
  downtimes: readonly Downtime[],
  until: number,
): ExpectedFire[] {
  const expected = new Map<number, ExpectedFire>();
  let tasks = 0;
  for (const [index, state] of states.entries()) {
    const before = states[index - 1];
    const end = Math.min(until, Math.floor(states[index + 1]?.at ?? until));
    if (before?.rule && state.edited) {
      for (const fire of withdrawnAt(state.at, before.rule, until)) expected.set(fire.fireAt, fire);
    }
    if (!state.rule) continue;
    const fires = firesOfRule(state.rule, Math.floor(state.at) + 1, end);
    const caughtUp = new Set(downtimes.flatMap((downtime) => chosen(state, downtime, fires)));
    for (const fireAt of fires) {
      if (state.maxFires !== null && tasks >= state.maxFires) break;
      const fate = caughtUp.has(fireAt) ? ("caught up" as const) : fateOf(fireAt, state, downtimes);
      if (fate === "task" || fate === "caught up") tasks++;
      const claimedBefore = before !== undefined && fireAt <= state.at + CLAIMED_AHEAD_MS;
      const claimedUnseen = downtimes.some((downtime) => downtime.unseen && isMissed(fireAt, downtime));
      const outcome = fate === "caught up" ? "task" : fate;
      expected.set(fireAt, {
        fireAt,
        outcomes: claimedBefore || claimedUnseen ? [outcome, "task"] : [outcome],
        ...(claimedUnseen ? {} : { caughtUp: fate === "caught up" }),
      });
    }
  }
  return [...expected.values()].sort((a, b) => a.fireAt - b.fireAt);
}

type Fate = "task" | "skipped" | "missed";

const fates: readonly ((fireAt: number, state: ScheduleState, downtimes: readonly Downtime[]) => Fate | null)[] = [
  (_, { paused }) => (paused ? "skipped" : null),
  (fireAt, _, downtimes) => (downtimes.some((downtime) => isMissed(fireAt, downtime)) ? "missed" : null),
];

function fateOf(fireAt: number, state: ScheduleState, downtimes: readonly Downtime[]): Fate {
  for (const rule of fates) {
    const fate = rule(fireAt, state, downtimes);
    if (fate) return fate;
  }
  return "task";
}

function isMissed(fireAt: number, { from, until }: Downtime): boolean {
  return fireAt > from && fireAt < until - MISSED_AFTER_MS;
}

/** Those of one downtime that run after all. */
function chosen({ catchUp, paused }: ScheduleState, downtime: Downtime, fires: readonly number[]): number[] {
  const { policy, windowMs, limit } = catchUp;
  const most = { skip: 0, last: 1, all: limit }[policy];
  if (paused || most === 0) return [];
  return fires
    .filter((fireAt) => isMissed(fireAt, downtime))
    .slice(-most)
    .filter((fireAt) => fireAt >= downtime.decidedAt - windowMs);
}

/** Of the rule before, what may have been planned when it was replaced, or even claimed. */
function withdrawnAt(at: number, rule: OracleRule, until: number): ExpectedFire[] {
  return firesOfRule(rule, Math.floor(at) + 1, Math.min(until, at + PLANNED_AHEAD_MS)).map((fireAt) => ({
    fireAt,
    outcomes: fireAt <= at + CLAIMED_AHEAD_MS ? ["withdrawn", "task"] : ["withdrawn"],
    optional: true,
  }));
}
