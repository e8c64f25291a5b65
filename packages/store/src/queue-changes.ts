/** What a request makes of a queue; both stores write what this decides. */
import type { QueueBreaker, QueueMode, QueueRecord, QueueSettings } from "./store.ts";

export interface QueueRequest {
  /** Left out: stays as it is. */
  settings?: QueueSettings;
  paused?: boolean;
  reason?: string | null;
  by?: string | null;
  now: number;
}

/** Null: it is so already. `before` is null for a queue on which nobody has set anything. */
export function changedQueue(
  before: QueueRecord | null,
  { namespace, name }: { namespace: string; name: string },
  request: QueueRequest,
): QueueRecord | null {
  const { now } = request;
  const was: QueueRecord = before ?? {
    namespace,
    name,
    version: 0,
    settings: {},
    paused: false,
    pause: null,
    createdAt: now,
    updatedAt: now,
  };
  const settings = orderedSettings(request.settings ?? was.settings);
  const paused = request.paused ?? was.paused;
  const pause = paused ? pauseOf(was, request) : null;
  const equal = isEqual(settings, orderedSettings(was.settings)) && paused === was.paused && isEqual(pause, was.pause);
  if (before && equal) return null;
  return { ...was, version: was.version + 1, settings, paused, pause, updatedAt: now };
}

/** To pause what is paused replaces the reason, if one is given. */
function pauseOf(was: QueueRecord, { paused, reason = null, by = null, now }: QueueRequest): QueueRecord["pause"] {
  if (!was.pause) return { reason, at: now, by };
  if (!paused || reason === null || reason === was.pause.reason) return was.pause;
  return { reason, at: was.pause.at, by };
}

export const limitsByKey = ({ concurrencyPerKey, rateLimitPerKey }: QueueSettings): boolean =>
  concurrencyPerKey !== undefined || rateLimitPerKey !== undefined;

/** `waiting`: tasks of it wait for keys. */
export function modeOf({ paused, settings }: Pick<QueueRecord, "paused" | "settings">, waiting: boolean): QueueMode {
  if (paused) return "paused";
  const { concurrency, concurrencyPerType, rateLimit, breaker } = settings;
  // Whoever claims for a breaker has to know the keys.
  const limited =
    [concurrency, concurrencyPerType, rateLimit, breaker].some((limit) => limit !== undefined) || limitsByKey(settings);
  return limited || waiting ? "limited" : "free";
}

/** The same text for equal settings; absent ones are left out. */
function orderedSettings(settings: QueueSettings): QueueSettings {
  const { concurrency, concurrencyPerKey, concurrencyPerType, rateLimit, rateLimitPerKey } = settings;
  const { maxBacklog, breaker, fairWeights = {} } = settings;
  const weights = Object.entries(fairWeights).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(concurrencyPerKey !== undefined && { concurrencyPerKey }),
    ...(concurrencyPerType !== undefined && { concurrencyPerType: orderedTypes(concurrencyPerType) }),
    ...(rateLimit !== undefined && { rateLimit: orderedRate(rateLimit) }),
    ...(rateLimitPerKey !== undefined && { rateLimitPerKey: orderedRate(rateLimitPerKey) }),
    ...(maxBacklog !== undefined && { maxBacklog }),
    ...(breaker !== undefined && { breaker: orderedBreaker(breaker) }),
    ...(weights.length > 0 && { fairWeights: Object.fromEntries(weights) }),
  };
}

const orderedRate = ({ limit, perMs, burst }: NonNullable<QueueSettings["rateLimit"]>) => ({ limit, perMs, burst });

const orderedTypes = (types: Record<string, number>) =>
  Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1)));

const orderedBreaker = ({ failures, openMs, adaptive }: QueueBreaker) => ({ failures, openMs, adaptive });

const isEqual = (one: object | null, other: object | null): boolean => JSON.stringify(one) === JSON.stringify(other);
