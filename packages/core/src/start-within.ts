/**
 * The deadline for the first start. It stands until the first attempt has started: what is tried again after that, or was lost with its
 * node, is not a first start. A first due instant that people move takes the deadline with it.
 */
import type { TaskPolicy } from "./retry.ts";

/** As `reason` of a task that was skipped for it. */
export const START_WITHIN = "start_within";

/** The deadline of its first start is over, and it has not started. `attempt`: starts so far, the one that is about to be included. */
export function startIsOver(task: { policy: TaskPolicy; dueAt: number; attempt: number }, now: number): boolean {
  return task.policy.startWithinMs !== undefined && task.attempt === 1 && startBy(task)! < now;
}

/** The last instant at which it may start; null: there is none. */
export function startBy({ policy, dueAt }: { policy: TaskPolicy; dueAt: number }): number | null {
  return policy.startWithinMs === undefined ? null : dueAt + policy.startWithinMs;
}
