/**
 * The deadline for the end. It stands from the creation on, whatever is tried in between; a due instant that people move before the first
 * start takes it with it. As it comes near, a task that waits becomes more urgent.
 */
import { formatDuration } from "./duration.ts";
import type { TaskError } from "./outcome.ts";
import type { TaskPolicy } from "./retry.ts";

/** As `error.code` of a task that failed for it. */
export const FINISH_WITHIN = "finish_within";

type Deadlined = { policy: TaskPolicy; dueAt: number };

/** By then it is final, or fails; null: there is no such instant. */
export function finishBy({ policy, dueAt }: Deadlined): number | null {
  return policy.finishWithinMs === undefined ? null : dueAt + policy.finishWithinMs;
}

/** With so much of its time left, a task that waits is at least so urgent: band by band, and first of all in the end. */
const steps = [
  { left: 1 / 2, priority: 6 },
  { left: 1 / 4, priority: 3 },
  { left: 1 / 10, priority: 1 },
] as const;

const instantOf = ({ left }: (typeof steps)[number], deadline: number, spanMs: number) =>
  Math.ceil(deadline - left * spanMs);

/** When its priority may rise for the first time. */
export function firstRiseAt(task: Deadlined): number | null {
  const deadline = finishBy(task);
  return deadline === null ? null : instantOf(steps[0], deadline, task.policy.finishWithinMs!);
}

/** How urgent it is now, and when it may be more so; null: not before its deadline. */
export function riseTowards(
  task: { priority: number; finishBy: number; finishWithinMs: number },
  now: number,
): { priority: number; nextAt: number | null } {
  let { priority } = task;
  for (const step of steps) {
    const at = instantOf(step, task.finishBy, task.finishWithinMs);
    if (at > now && step.priority < priority) return { priority, nextAt: at };
    if (at <= now) priority = Math.min(priority, step.priority);
  }
  return { priority, nextAt: null };
}

export function finishWithinError(finishWithinMs: number): TaskError {
  const message = `It was not final within ${formatDuration(finishWithinMs)} of its due instant.`;
  return { code: FINISH_WITHIN, name: "Error", message, stack: null };
}
