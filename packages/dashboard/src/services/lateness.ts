import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./http.ts";
import { type Schedule, schedulePath } from "./schedules.ts";
import type { TaskState } from "./tasks.ts";

/** How often figures are read again while they are looked at: nodes write theirs every five seconds. */
const REFRESH_MS = 5_000;

export interface Spread {
  p50Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}

export interface LatenessSpread extends Spread {
  histogram: { toMs: number | null; count: number }[];
}

export const phases = ["planner", "claim", "dispatch", "transport", "start"] as const;
export type Phase = (typeof phases)[number];

export interface QueueLateness extends LatenessSpread {
  queue: string;
  started: number;
  meanMs: Record<Phase, number>;
}

export interface ScheduleStats {
  window: string;
  from: string;
  complete: boolean;
  fires: number;
  outcomes: Record<"task" | "skipped" | "missed" | "withdrawn", number>;
  tasks: Record<TaskState | "forgotten", number>;
  successRate: number | null;
  lateness: LatenessSpread;
  duration: Spread;
}

export const windows = ["1h", "6h", "24h"] as const;
export type Window = (typeof windows)[number];

/** As an address says it; anything else is the default. */
export function readWindow(text: unknown): { window?: Window } {
  const window = windows.find((each) => each === text);
  return window === undefined ? {} : { window };
}

export function latenessQuery(window: Window) {
  return queryOptions({
    queryKey: ["lateness", window],
    queryFn: ({ signal }) =>
      request<{ from: string; queues: QueueLateness[] }>("GET", `/lateness${query({ window })}`, { signal }),
    refetchInterval: REFRESH_MS,
  });
}

export function scheduleStatsQuery({ name }: Pick<Schedule, "name">) {
  return queryOptions({
    queryKey: ["schedule-stats", name],
    queryFn: ({ signal }) => request<ScheduleStats>("GET", `${schedulePath(name)}/stats`, { signal }),
    refetchInterval: REFRESH_MS,
  });
}
