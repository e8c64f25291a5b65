import { queryOptions } from "@tanstack/react-query";
import { serverNow } from "./clock.ts";
import { query, request } from "./http.ts";

/** It is computed from all schedules, so it is not read again with each change. */
const REFRESH_MS = 30_000;

export interface ScheduleLoad {
  from: string;
  schedules: number;
  fires: number;
  complete: boolean;
  /** Tasks that become due in each step. */
  counts: number[];
  /** Highest first. */
  peaks: { at: string; fires: number; spread: { jitter: string; schedules: number; fires: number } | null }[];
}

const MINUTE_MS = 60_000;
const spans = {
  "1h": { step: "1m", stepMs: MINUTE_MS, steps: 60 },
  "24h": { step: "15m", stepMs: 15 * MINUTE_MS, steps: 96 },
} as const;

export const loadSpans = ["1h", "24h"] as const;
export type LoadSpan = (typeof loadSpans)[number];

export const stepMsOf = (span: LoadSpan): number => spans[span].stepMs;

/** As an address says it; anything else is the default. */
export function readLoadSpan(text: unknown): { ahead?: LoadSpan } {
  const ahead = loadSpans.find((each) => each === text);
  return ahead === undefined ? {} : { ahead };
}

/** From the present step on. */
export function scheduleLoadQuery(span: LoadSpan) {
  const { step, stepMs, steps } = spans[span];
  return queryOptions({
    queryKey: ["schedule-load", span],
    queryFn: ({ signal }) => {
      const from = Math.floor(serverNow() / stepMs) * stepMs;
      const range = { from: new Date(from).toISOString(), to: new Date(from + steps * stepMs).toISOString(), step };
      return request<ScheduleLoad>("GET", `/schedules:load${query(range)}`, { signal });
    },
    refetchInterval: REFRESH_MS,
  });
}
