/** What a handler can throw to say more than "it failed", and what a waiting caller gets when a task did not succeed. */
import { durationMs } from "./retry-options.ts";

/** The attempt failed; try again after this long instead of after the policy's backoff. */
export class RetryAfter extends Error {
  readonly delay: string;
  constructor(delay: string, message = `retry after ${delay}`, options?: ErrorOptions) {
    durationMs(delay, "/delay");
    super(message, options);
    this.name = "RetryAfter";
    this.delay = delay;
  }
}

/** Not a failure: call this task again after this long. Costs no attempt of the retry budget. */
export class Snooze extends Error {
  readonly delay: string;
  constructor(delay: string) {
    durationMs(delay, "/delay");
    super(`snoozed for ${delay}`);
    this.name = "Snooze";
    this.delay = delay;
  }
}

/** The attempt failed and another would too: the task has failed. */
export class Fatal extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Fatal";
  }
}

/** There is nothing to do any more: the task becomes `skipped` with this reason. */
export class Discard extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "Discard";
  }
}

/** Thrown by `handle.result()` when the task ended in another state than `succeeded`. */
export class TaskFailedError extends Error {
  readonly taskId: string;
  readonly state: string;
  readonly code: string | null;
  constructor(task: {
    id: string;
    state: string;
    reason: string | null;
    error: { code: string; message: string } | null;
  }) {
    super(`${task.id} ${task.state}${task.error ? `: ${task.error.message}` : task.reason ? `: ${task.reason}` : ""}`);
    this.name = "TaskFailedError";
    this.taskId = task.id;
    this.state = task.state;
    this.code = task.error?.code ?? null;
  }
}

/** Thrown by `handle.result({ timeout })` when the task was not final in time; it goes on. */
export class WaitTimeoutError extends Error {
  constructor(taskId: string) {
    super(`${taskId} was not final in time`);
    this.name = "WaitTimeoutError";
  }
}

/** Why an `AbortSignal` of a handler fired. */
export class AttemptAborted extends Error {
  readonly why: "cancelled" | "timeout" | "lease_lost" | "shutdown";
  constructor(why: AttemptAborted["why"], detail?: string | null) {
    super(
      detail ??
        { cancelled: "cancelled", timeout: "timed out", lease_lost: "lease lost", shutdown: "worker is stopping" }[why],
    );
    this.name = "AttemptAborted";
    this.why = why;
  }
}
