import { queryOptions } from "@tanstack/react-query";
import { query, request } from "./http.ts";

/** Figures change with every start; they are read again while they are looked at. */
const REFRESH_MS = 5_000;

export interface RateLimit {
  limit: number;
  per: string;
  burst: number;
}

export interface Breaker {
  failures: number;
  openFor: string;
  adaptive: boolean;
}

/** What a queue allows; null: no limit. */
export interface Queue {
  name: string;
  version: number;
  concurrency: number | null;
  concurrencyPerKey: number | null;
  concurrencyPerType: Record<string, number> | null;
  rateLimit: RateLimit | null;
  rateLimitPerKey: RateLimit | null;
  maxBacklog: number | null;
  breaker: Breaker | null;
  /** Of fair keys; those that are not named weigh 1. */
  fairWeights: Record<string, number>;
  paused: boolean;
  pause: { reason: string | null; at: string; by: string | null } | null;
}

export interface QueueSettings {
  concurrency?: number;
  concurrencyPerKey?: number;
  concurrencyPerType?: Record<string, number>;
  rateLimit?: { limit: number; per: string; burst?: number };
  rateLimitPerKey?: { limit: number; per: string; burst?: number };
  maxBacklog?: number;
  breaker?: Breaker;
  fairWeights?: Record<string, number>;
}

export interface QueueStats {
  due: number;
  scheduled: number;
  running: number;
  capped: boolean;
  oldestAgeMs: number | null;
  perSecond: { created: number; started: number; finished: number };
}

export function queuesQuery(pageToken: string | undefined) {
  return queryOptions({
    queryKey: ["queues", pageToken ?? ""],
    queryFn: ({ signal }) =>
      request<{ queues: Queue[]; nextPageToken: string | null }>("GET", `/queues${query({ pageToken })}`, { signal }),
  });
}

export function queueQuery(name: string) {
  return queryOptions({
    queryKey: ["queue", name],
    queryFn: ({ signal }) => request<Queue>("GET", queuePath(name), { signal }),
  });
}

export function queueStatsQuery(name: string) {
  return queryOptions({
    queryKey: ["queue-stats", name],
    queryFn: ({ signal }) => request<QueueStats>("GET", `${queuePath(name)}/stats`, { signal }),
    refetchInterval: REFRESH_MS,
  });
}

/** Replaces what it allows, unless somebody changed it since `version` was read. */
export function putQueue(name: string, settings: QueueSettings, version: number): Promise<Queue> {
  return request("PUT", queuePath(name), { body: settings, headers: { "if-match": `"${version}"` } });
}

export function pauseQueue(name: string): Promise<Queue> {
  return request("POST", `${queuePath(name)}:pause`, { body: {} });
}

export function resumeQueue(name: string): Promise<Queue> {
  return request("POST", `${queuePath(name)}:resume`, { body: {} });
}

export function queuePath(name: string): string {
  return `/queues/${encodeURIComponent(name)}`;
}

/** Its limits in words, the first that counts first. */
export function limitWords(queue: Queue): string[] {
  const rate = ({ limit, per, burst }: RateLimit) =>
    `${limit.toLocaleString("en")} per ${per}${burst === limit ? "" : `, ${burst.toLocaleString("en")} at once`}`;
  const { concurrency, concurrencyPerKey, concurrencyPerType, rateLimit, rateLimitPerKey, maxBacklog, breaker } = queue;
  return [
    ...(concurrency === null ? [] : [`${concurrency.toLocaleString("en")} at once`]),
    ...(concurrencyPerKey === null ? [] : [`${concurrencyPerKey.toLocaleString("en")} at once of a key`]),
    ...Object.entries(concurrencyPerType ?? {}).map(([type, most]) => `${most.toLocaleString("en")} ${type} at once`),
    ...(rateLimit === null ? [] : [rate(rateLimit)]),
    ...(rateLimitPerKey === null ? [] : [`${rate(rateLimitPerKey)} of a key`]),
    ...(maxBacklog === null ? [] : [`at most ${maxBacklog.toLocaleString("en")} waiting`]),
    ...(breaker === null ? [] : [`left alone after ${breaker.failures} failures`]),
  ];
}
