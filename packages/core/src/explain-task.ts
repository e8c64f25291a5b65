/** How a task stands, and what keeps it from running. */
import { PARENTS } from "./dependencies.ts";
import { formatDuration } from "./duration.ts";
import { whyWaiting } from "./explain-overlap.ts";
import { type Explanation, type ExplanationReason, reason, sentence } from "./explanation.ts";
import { formatInstant, formatLocal } from "./instant.ts";
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
  error: { code: string; message: string } | null;
  /** Those that ended and are remembered, oldest first. */
  attempts: readonly { number: number; dueAt: number; startedAt: number | null }[];
}

/** Workers that are connected and serve the same queues and types. */
export interface ServingPool {
  queues: readonly string[];
  types: readonly string[];
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
  /** If it is blocked: those that it waits for, the first ones named. */
  waitsFor?: { tasks: readonly string[]; count: number };
  /** Of its namespace, as nodes knew them some seconds ago. */
  pools: readonly ServingPool[];
  /** How many tasks of its queue may start now, itself included. */
  due: { count: number; capped: boolean };
}

/** Of what a handler said, so much stands in a sentence. */
const MESSAGE_LENGTH = 200;
const ZONE = "UTC";

export function explainTask({ now, task, overlap, others, waitsFor, pools, due }: TaskToExplain): Explanation {
  const stands = howItStands("The task", task, { now, zone: ZONE, overlap });
  if (stands.code === "overlap") return sentence([{ ...stands, refs: [...others] }]);
  switch (task.state) {
    case "scheduled":
    case "retrying":
      return sentence([stands, ...whyUnserved(task, pools)]);
    case "queued":
      return sentence([stands, ...whyQueued(task, pools, due)]);
    case "blocked":
      return sentence([waitsFor ? waitsForTasks(waitsFor) : stands]);
    default:
      return sentence([stands]);
  }
}

function waitsForTasks({ tasks, count }: { tasks: readonly string[]; count: number }): ExplanationReason {
  if (count === 0) return reason("parents", "All tasks that the task comes after are final; it is about to be due.");
  const [first] = tasks;
  const those = count === 1 ? `${first}, which is` : `${count.toLocaleString("en")} tasks that are`;
  return reason("parents", `The task waits for ${those} not final.`, { refs: [...tasks] });
}

function whyUnserved({ type, queue }: ExplainedTask, pools: readonly ServingPool[]): ExplanationReason[] {
  const running = pools.filter(({ types }) => types.includes(type));
  if (running.some(({ queues }) => queues.includes(queue))) return [];
  const message =
    running.length === 0
      ? `No connected worker runs ${type}.`
      : `The connected workers that run ${type} take no tasks of the queue ${queue}.`;
  return [reason("no_worker", message)];
}

function whyQueued(task: ExplainedTask, pools: readonly ServingPool[], due: TaskToExplain["due"]): ExplanationReason[] {
  const { type, queue } = task;
  const unserved = whyUnserved(task, pools);
  if (unserved.length > 0) return unserved;
  const serving = pools.filter(({ types, queues }) => types.includes(type) && queues.includes(queue));
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

/** On one line. */
function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "");
  return line.length > MESSAGE_LENGTH ? `${line.slice(0, MESSAGE_LENGTH)}…` : line;
}
