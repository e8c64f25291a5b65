/** Retry policies as people write them (durations as text), and as the engine computes with them. */
import { parseDuration } from "@carillon/core/duration";
import { invalid } from "@carillon/core/errors";
import { type Backoff, defaultPolicy, type RetryPolicy } from "@carillon/core/retry";

export interface RetryOptions {
  /** How many attempts may end in an error, 1 … 1,000. Default 5. */
  maxAttempts?: number;
  backoff?: {
    kind?: Backoff["kind"];
    /** Default `1s`. */
    initial?: string;
    /** Default 2. */
    factor?: number;
    /** Default `10m`. */
    max?: string;
    /** Default `full`. */
    jitter?: Backoff["jitter"];
  };
}

export function toRetryPolicy(options: RetryOptions): RetryPolicy {
  const fallback = defaultPolicy.retry;
  const { initial, max, ...rest } = options.backoff ?? {};
  return {
    maxAttempts: options.maxAttempts ?? fallback.maxAttempts,
    backoff: {
      ...fallback.backoff,
      ...rest,
      initialMs: initial === undefined ? fallback.backoff.initialMs : durationMs(initial, "/retry/backoff/initial"),
      maxMs: max === undefined ? fallback.backoff.maxMs : durationMs(max, "/retry/backoff/max"),
    },
  };
}

/** Milliseconds of a duration that the caller wrote; `invalid_request` naming the field when it is none. */
export function durationMs(text: string, pointer: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw invalid(pointer, "invalid_duration", `"${text}" is not a duration such as "1h30m"`);
  return ms;
}
