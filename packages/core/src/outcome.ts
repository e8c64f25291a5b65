import { limits } from "./limits.ts";
import { retryDelayMs, type TaskPolicy } from "./retry.ts";
import type { FinalState } from "./states.ts";

export const taskErrorCodes = [
  "handler_error",
  "timeout",
  "finish_within",
  "worker_lost",
  "invalid_payload",
  "result_too_large",
  "http_status",
  "address_not_allowed",
  "exit_code",
] as const;
export type TaskErrorCode = (typeof taskErrorCodes)[number];

/** Why an attempt failed, as kept with the task. */
export interface TaskError {
  code: TaskErrorCode;
  name: string;
  message: string;
  stack: string | null;
}

/** How an attempt ended, as the worker reports it. */
export type AttemptReport =
  | { kind: "succeeded"; result: string | null }
  | { kind: "failed"; error: TaskError; retryable: boolean; retryAfterMs: number | null }
  /** The handler asked to be called again later; no failure. */
  | { kind: "snoozed"; delayMs: number }
  /** The handler threw the task away. */
  | { kind: "discarded"; reason: string }
  /** The handler stopped because it was asked to cancel. */
  | { kind: "cancelled" }
  /** The worker gives it back without having started, or on its way out. */
  | { kind: "released" };

export type FailedReport = Extract<AttemptReport, { kind: "failed" }>;

/** What the store shall write; the one place that decides what follows an attempt. */
export type OutcomeDecision =
  | { kind: "final"; state: FinalState; result: string | null; error: TaskError | null; reason: string | null }
  | { kind: "again"; as: "failed" | "snoozed" | "released"; dueAt: number; error: TaskError | null };

/**
 * @param failures attempts of this budget that ended in an error before this one
 * @param random in [0, 1), for the jitter of the next attempt
 */
export function decideOutcome(
  task: { policy: TaskPolicy; failures: number; dueAt: number; finishBy: number | null; cancelReason: string | null },
  report: AttemptReport,
  now: number,
  random: number,
): OutcomeDecision {
  switch (report.kind) {
    case "succeeded":
      return { kind: "final", state: "succeeded", result: report.result, error: null, reason: null };
    case "discarded":
      return { kind: "final", state: "skipped", result: null, error: null, reason: report.reason || "discarded" };
    case "cancelled":
      return { kind: "final", state: "cancelled", result: null, error: null, reason: task.cancelReason };
    case "released":
      return { kind: "again", as: "released", dueAt: task.dueAt, error: null };
    case "snoozed":
      return { kind: "again", as: "snoozed", dueAt: now + report.delayMs, error: null };
    case "failed":
      return decideFailure(task, report, now, random);
  }
}

function decideFailure(
  task: { policy: TaskPolicy; failures: number; finishBy: number | null },
  report: { error: TaskError; retryable: boolean; retryAfterMs: number | null },
  now: number,
  random: number,
): OutcomeDecision {
  const failures = task.failures + 1;
  const { maxAttempts, backoff } = task.policy.retry;
  const dueAt = now + (report.retryAfterMs ?? retryDelayMs(backoff, failures, random));
  const again = report.retryable && failures < maxAttempts && (task.finishBy === null || dueAt < task.finishBy);
  return again
    ? { kind: "again", as: "failed", dueAt, error: report.error }
    : { kind: "final", state: "failed", result: null, error: report.error, reason: null };
}

/** A worker's process died with the task running: again at once, unless it has now taken too many workers with it. */
export function decideLoss(task: { lost: number }): "again" | "quarantine" {
  return task.lost + 1 >= limits.lostWorkers ? "quarantine" : "again";
}
