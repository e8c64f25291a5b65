/**
 * How a schedule has done: what became of its fires in a window, how late their tasks started and how long they ran. From the ledger and the
 * tasks that it names, so that the work is bounded by the number of fires looked at.
 */
import {
  formatDuration,
  formatInstant,
  idCreatedAt,
  latenessBucket,
  latenessBucketsMs,
  publicState,
  publicStates,
} from "@carillon/core";
import type { FireFacts } from "@carillon/store";
import type { ScheduleStatsAnswer, ScheduleStatsQuery } from "../http/schemas/lateness.ts";
import type { Deps } from "./deps.ts";
import { toHistogram } from "./lateness.ts";
import { findSchedule } from "./schedules.ts";
import { lateness } from "./views.ts";

const DAY_MS = 86_400_000;
/** Fires looked at, the latest ones. */
export const STATS_FIRES = 1_000;

export async function getScheduleStats(
  deps: Deps,
  namespace: string,
  name: string,
  query: ScheduleStatsQuery,
): Promise<ScheduleStatsAnswer> {
  const schedule = await findSchedule(deps, namespace, name);
  const now = deps.clock.now();
  const to = query.to ?? Math.max(now, query.from ?? now);
  const from = query.from ?? to - (query.window ?? DAY_MS);
  const found = await deps.store.latestFires(schedule.id, { from, to, limit: STATS_FIRES + 1 });
  const complete = found.length <= STATS_FIRES;
  const fires = found.slice(0, STATS_FIRES);
  return {
    window: formatDuration(to - from),
    from: formatInstant(complete ? from : fires.at(-1)!.fireAt),
    to: formatInstant(to),
    complete,
    fires: fires.length,
    ...figuresOf(fires, now),
  };
}

function figuresOf(fires: FireFacts[], now: number) {
  const outcomes = { task: 0, skipped: 0, missed: 0, withdrawn: 0 };
  const states = Object.fromEntries(
    [...publicStates, "forgotten"].map((state) => [state, 0]),
  ) as ScheduleStatsAnswer["tasks"];
  const latenesses: number[] = [];
  const durations: number[] = [];
  for (const { outcome, task } of fires) {
    outcomes[outcome]++;
    if (outcome !== "task") continue;
    if (task === null) {
      states.forgotten++;
      continue;
    }
    states[publicState(task, now)]++;
    const lateMs = lateness(task.startedAt, task.dueAt, idCreatedAt(task.id));
    if (lateMs !== null) latenesses.push(lateMs);
    if (task.startedAt !== null && task.finishedAt !== null) durations.push(task.finishedAt - task.startedAt);
  }
  const ended = states.succeeded + states.failed;
  const counts = Array<number>(latenessBucketsMs.length + 1).fill(0);
  for (const ms of latenesses) counts[latenessBucket(ms)]!++;
  return {
    outcomes,
    tasks: states,
    successRate: ended === 0 ? null : states.succeeded / ended,
    lateness: { ...spreadOf(latenesses), histogram: toHistogram(counts) },
    duration: spreadOf(durations),
  };
}

/** Exact: the value that so many percent do not exceed. */
function spreadOf(values: number[]): { p50Ms: number | null; p99Ms: number | null; maxMs: number | null } {
  values.sort((a, b) => a - b);
  const at = (share: number) => {
    const value = values[Math.ceil(share * values.length) - 1];
    return value === undefined ? null : Math.round(value * 1_000) / 1_000;
  };
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
