/** How a task stands, and what keeps it from running. */
import { BREAKER_OPEN, TARGET_BUSY } from "./call-target.ts";
import { PARENTS } from "./dependencies.ts";
import { formatDuration } from "./duration.ts";
import { whyWaiting } from "./explain-overlap.ts";
import { type ExplainedQueue, whyLimited, whyPaused } from "./explain-queue.ts";
import { type AwaitedTarget, whyTargetAwaited } from "./explain-target.ts";
import { type Explanation, type ExplanationReason, reason, sentence, short } from "./explanation.ts";
import { formatInstant, formatLocal } from "./instant.ts";
import { formatLabels, hasLabels, type Labels } from "./labels.ts";
import type { OverlapPolicy } from "./overlap.ts";
import { START_WITHIN } from "./start-within.ts";
import type { PublicState } from "./states.ts";
import { WORKFLOW_FAILED } from "./workflow.ts";

export interface ExplainedTask {
  id: string;
  type: string;
  queue: string;
  state: PublicState;
  /** What the caller gave when it was cancelled or skipped. */
  reason: string | null;
  createdAt: number;
  dueAt: number;
  startedAt: number | null;
  attempt: number;
  policy: { startWithinMs?: number };
  /** Labels that its worker has to have. */
  requires?: Labels;
  error: { code: string; message: string } | null;
  /** Those that ended and are remembered, oldest first. */
  attempts: readonly { number: number; dueAt: number; startedAt: number | null }[];
}

/** Workers that are connected and serve the same queues and types, with the same labels where those count. */
export interface ServingPool {
  queues: readonly string[];
  types: readonly string[];
  /** Where tasks that ask for some are explained: labels that they all have. */
  labels?: Labels;
  workers: number;
  slots: number;
  busy: number;
}

export interface TaskToExplain {
  now: number;
  task: ExplainedTask;
  /** Of its schedule; null: it has none any more. */
  overlap: OverlapPolicy | null;
  /** The schedule's other tasks that are not final, if it waits for them. */
  others: readonly string[];
  /** What it calls, if it waits for that; left out: it does not, or nothing is known. */
  target?: AwaitedTarget | null;
  /** If it is blocked: those that it waits for, the first ones named. */
  waitsFor?: { tasks: readonly string[]; count: number };
  /** Of its namespace, as nodes knew them some seconds ago. */
  pools: readonly ServingPool[];
  /** What its queue allows; null: there are no limits, and it is not paused. */
  queue: ExplainedQueue | null;
  /** How many tasks of its queue may start now, itself included. */
  due: { count: number; capped: boolean };
}

const ZONE = "UTC";

export function explainTask({
  now,
  task,
  overlap,
  others,
  waitsFor,
  target,
  pools,
  queue,
  due,
}: TaskToExplain): Explanation {
  if (waitsForTarget(task)) {
    return sentence([whyTargetAwaited({ reason: task.reason!, refs: [task.id] }, target ?? null, now)]);
  }
  const stands = howItStands("The task", task, { now, zone: ZONE, overlap });
  if (stands.code === "overlap") return sentence([{ ...stands, refs: [...others] }]);
  const paused = queue ? whyPaused(task.queue, queue) : [];
  switch (task.state) {
    case "scheduled":
    case "retrying":
      return sentence([stands, ...paused, ...whyUnserved(task, pools)]);
    case "queued": {
      const held = queue ? [...paused, ...whyLimited(task.queue, queue, now)] : [];
      return sentence([stands, ...held, ...(held.length > 0 ? whyUnserved(task, pools) : whyQueued(task, pools, due))]);
    }
    case "blocked":
      return sentence([waitsFor ? waitsForTasks(waitsFor) : stands]);
    default:
      return sentence([stands]);
  }
}

/** It may have been tried before. */
export function waitsForTarget({ state, reason }: Pick<ExplainedTask, "state" | "reason">): boolean {
  return (state === "queued" || state === "retrying") && (reason === BREAKER_OPEN || reason === TARGET_BUSY);
}

function waitsForTasks({ tasks, count }: { tasks: readonly string[]; count: number }): ExplanationReason {
  if (count === 0) return reason("parents", "All tasks that the task comes after are final; it is about to be due.");
  const [first] = tasks;
  const those = count === 1 ? `${first}, which is` : `${count.toLocaleString("en")} tasks that are`;
  return reason("parents", `The task waits for ${those} not final.`, { refs: [...tasks] });
}

function whyUnserved(task: ExplainedTask, pools: readonly ServingPool[]): ExplanationReason[] {
  const { type, queue } = task;
  const running = pools.filter(({ types }) => types.includes(type));
  const serving = running.filter(({ queues }) => queues.includes(queue));
  if (serving.some((pool) => matches(pool, task))) return [];
  if (serving.length > 0) return [whyUnmatched(task, serving)];
  const message =
    running.length === 0
      ? `No connected worker runs ${type}.`
      : `The connected workers that run ${type} take no tasks of the queue ${queue}.`;
  return [reason("no_worker", message)];
}

const matches = ({ labels = {} }: ServingPool, { requires = {} }: ExplainedTask): boolean =>
  hasLabels(labels, requires);

/** Workers run it and take its queue, but none has all of its labels. */
function whyUnmatched({ type, queue, requires = {} }: ExplainedTask, serving: ServingPool[]): ExplanationReason {
  const missing = Object.entries(requires).filter(([key, value]) =>
    serving.every(({ labels }) => labels?.[key] !== value),
  );
  const all = formatLabels(requires);
  const who = `connected worker that runs ${type} and takes the queue ${queue} has`;
  if (missing.length === 0) return reason("no_worker", `No single ${who} all of its labels: ${all}.`);
  const many = missing.length === 1 ? "the label" : "any of the labels";
  return reason("no_worker", `No ${who} ${many} ${formatLabels(Object.fromEntries(missing))}.`);
}

function whyQueued(task: ExplainedTask, pools: readonly ServingPool[], due: TaskToExplain["due"]): ExplanationReason[] {
  const { type, queue } = task;
  const unserved = whyUnserved(task, pools);
  if (unserved.length > 0) return unserved;
  const serving = pools.filter(
    (pool) => pool.types.includes(type) && pool.queues.includes(queue) && matches(pool, task),
  );
  const sum = (of: "workers" | "slots" | "busy") => serving.reduce((total, pool) => total + pool[of], 0);
  const free = sum("slots") - sum("busy");
  const who = sum("workers") === 1 ? "one worker that runs" : `${sum("workers")} workers that run`;
  const reasons =
    free > 0
      ? [reason("starting", `It is about to start: the ${who} it had ${free} of ${sum("slots")} slots free.`)]
      : [reason("no_credit", `All ${sum("slots")} slots of the ${who} it were busy.`)];
  const before = due.count - 1;
  if (before > 0 && free <= 0) {
    const many = `${due.capped ? "More than " : ""}${before.toLocaleString("en")} other ${before === 1 ? "task" : "tasks"}`;
    reasons.push(reason("backlog", `${many} of the queue ${queue} may start too, the most urgent first.`));
  }
  return reasons;
}

/** @param subject what the sentence calls it */
export function howItStands(
  subject: "Its task" | "The task",
  task: ExplainedTask,
  { now, zone, overlap }: { now: number; zone: string; overlap: OverlapPolicy | null },
): ExplanationReason {
  const { id, type, queue, dueAt, createdAt, startedAt, attempt } = task;
  const refs = [id];
  const because = task.reason === null ? "" : ` (${short(task.reason)})`;
  switch (task.state) {
    case "scheduled":
      return reason("due_later", `${subject} is due at ${formatLocal(dueAt, zone)}.`, { until: dueAt, refs });
    case "queued": {
      if (task.reason === "overlap") return whyWaiting(subject, overlap, refs);
      const waited = formatDuration(Math.max(0, now - Math.max(dueAt, createdAt)));
      const message = `${subject} has waited ${waited} in the queue ${queue} for a worker that runs ${type} and has a free slot.`;
      return reason("task_queued", message, { refs });
    }
    case "running":
      return reason("task_running", `${subject} is running since ${formatInstant(startedAt ?? now)}.`, { refs });
    case "retrying": {
      const of = subject === "The task" ? "the task" : "its task";
      const message = `Attempt ${attempt} of ${of} ended with ${errorOf(task)}, and the next one is due at ${formatInstant(dueAt)}.`;
      return reason("retry_at", message, { until: dueAt, refs });
    }
    case "succeeded":
      return reason("task_succeeded", `${subject} succeeded.`, { refs });
    case "failed":
      return reason("task_failed", `${subject} failed with ${errorOf(task)}.`, { refs });
    case "cancelled":
      return reason("task_cancelled", `${subject} was cancelled${because}.`, { refs });
    case "skipped": {
      const { startWithinMs } = task.policy;
      if (task.reason === START_WITHIN && startWithinMs !== undefined) {
        const message = `${subject} was skipped, because it had not started within ${formatDuration(startWithinMs)} of its due instant ${formatLocal(dueAt, zone)}.`;
        return reason("start_within", message, { refs });
      }
      if (task.reason === PARENTS) {
        const message = `${subject} was skipped, because the tasks that it comes after did not end as it asks for.`;
        return reason("task_skipped", message, { refs });
      }
      if (task.reason === WORKFLOW_FAILED) {
        const message = `${subject} was skipped, because another task of its workflow failed before it had started.`;
        return reason("task_skipped", message, { refs });
      }
      return reason("task_skipped", `${subject} was skipped${because}.`, { refs });
    }
    case "blocked":
      return reason("parents", `${subject} waits for the tasks that it comes after.`, { refs });
  }
}

function errorOf({ error }: ExplainedTask): string {
  return error === null ? "no error that is known" : `${error.code}: ${short(error.message)}`;
}
