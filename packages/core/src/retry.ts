/** Whether, and when, a failed attempt is followed by another. */

export const backoffKinds = ["fixed", "linear", "exponential"] as const;

/**
 * The wait before attempt n + 1 after n failures: `fixed` initial; `linear` initial × n; `exponential` initial × factor^(n − 1);
 * never more than `maxMs`. With full jitter a random part of it, which spreads retries that failed together.
 */
export interface Backoff {
  kind: (typeof backoffKinds)[number];
  initialMs: number;
  /** Of `exponential` only. */
  factor: number;
  maxMs: number;
  jitter: "full" | "none";
}

export interface RetryPolicy {
  /** How many attempts may end in an error before the task has failed, 1 … 1,000. */
  maxAttempts: number;
  backoff: Backoff;
}

/** How a task is tried; equal policies are stored once and referred to by number. */
export interface TaskPolicy {
  retry: RetryPolicy;
  /** An attempt that runs longer is aborted and counts as a failure. */
  timeoutMs: number;
  /** One that has not started so long after it was first due is skipped; absent: it waits. */
  startWithinMs?: number;
  /** One that is not final so long after it was first due is aborted and has failed; absent: it takes its time. */
  finishWithinMs?: number;
}

export const defaultPolicy: TaskPolicy = {
  retry: {
    maxAttempts: 5,
    backoff: { kind: "exponential", initialMs: 1_000, factor: 2, maxMs: 600_000, jitter: "full" },
  },
  timeoutMs: 3_600_000,
};

/** `random` is in [0, 1) and comes from the caller, so that a simulation can repeat it. At least 1 ms. */
export function retryDelayMs(backoff: Backoff, failures: number, random: number): number {
  const n = Math.max(1, failures);
  const grown =
    backoff.kind === "fixed"
      ? backoff.initialMs
      : backoff.kind === "linear"
        ? backoff.initialMs * n
        : backoff.initialMs * backoff.factor ** (n - 1);
  const capped = Math.min(grown, backoff.maxMs);
  return Math.max(1, Math.round(backoff.jitter === "full" ? capped * random : capped));
}
