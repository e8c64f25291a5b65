/** A task as it will be stored: what the request leaves out comes from what a worker declared for the type, else from the defaults. */
import {
  type Backoff,
  defaultPolicy,
  type Id,
  type Labels,
  type RetryPolicy,
  sortedLabels,
  type TaskPolicy,
} from "@carillon/core";
import type { NewTask, Trigger, TypeDeclaration } from "@carillon/store";
import type { RetryInput } from "../http/schemas/common.ts";
import type { CreateTask } from "../http/schemas/tasks.ts";
import type { DeclaredType } from "./types.ts";

export const DEFAULT_QUEUE = "default";
export const DEFAULT_PRIORITY = 5;

/** Defaults of the built-in types where they differ: a call that hangs is given up early, a command is not repeated unasked. */
const builtinPolicies: Readonly<Record<string, TaskPolicy>> = {
  http: { ...defaultPolicy, timeoutMs: 30_000 },
  command: { ...defaultPolicy, retry: { ...defaultPolicy.retry, maxAttempts: 1 } },
};

export function defaultPolicyOf(type: string): TaskPolicy {
  return Object.hasOwn(builtinPolicies, type) ? builtinPolicies[type]! : defaultPolicy;
}

/** A whole policy from a part of one. */
export function completeRetry(part: RetryInput | undefined, fallback: RetryPolicy): RetryPolicy {
  if (part === undefined) return fallback;
  const { kind, initial, factor, max, jitter } = part.backoff ?? {};
  const backoff: Backoff = {
    kind: kind ?? fallback.backoff.kind,
    initialMs: initial ?? fallback.backoff.initialMs,
    factor: factor ?? fallback.backoff.factor,
    maxMs: max ?? fallback.backoff.maxMs,
    jitter: jitter ?? fallback.backoff.jitter,
  };
  return { maxAttempts: part.maxAttempts ?? fallback.maxAttempts, backoff };
}

/** What fields say, left out or null for "take the default". */
export interface Choices {
  type: string;
  queue?: string | null | undefined;
  retry?: RetryPolicy | null | undefined;
  timeoutMs?: number | null | undefined;
  startWithinMs?: number | undefined;
  finishWithinMs?: number | undefined;
}

export function settle(
  choices: Choices,
  declared: TypeDeclaration | null | undefined,
): { queue: string; policy: TaskPolicy } {
  const fallback = defaultPolicyOf(choices.type);
  return {
    queue: choices.queue ?? declared?.queue ?? DEFAULT_QUEUE,
    policy: policyOf(
      choices.retry ?? declared?.policy.retry ?? fallback.retry,
      choices.timeoutMs ?? declared?.policy.timeoutMs ?? fallback.timeoutMs,
      choices,
    ),
  };
}

/** By the retries they share. Stores recognise a policy by its object. */
const policies = new WeakMap<RetryPolicy, TaskPolicy>();

export function policyOf(
  retry: RetryPolicy,
  timeoutMs: number,
  { startWithinMs, finishWithinMs }: Pick<Choices, "startWithinMs" | "finishWithinMs">,
): TaskPolicy {
  const known = policies.get(retry);
  if (
    known?.timeoutMs === timeoutMs &&
    known.startWithinMs === startWithinMs &&
    known.finishWithinMs === finishWithinMs
  )
    return known;
  const policy = {
    retry,
    timeoutMs,
    ...(startWithinMs === undefined ? {} : { startWithinMs }),
    ...(finishWithinMs === undefined ? {} : { finishWithinMs }),
  };
  policies.set(retry, policy);
  return policy;
}

export function newTask(
  input: Omit<CreateTask, "after">,
  facts: { id: Id; namespace: string; now: number; declared: DeclaredType | undefined; trigger: Trigger },
): NewTask {
  const { id, namespace, now, declared, trigger } = facts;
  const retryFallback = declared?.policy.retry ?? defaultPolicyOf(input.type).retry;
  const retry = input.retry && completeRetry(input.retry, retryFallback);
  const { type, timeout: timeoutMs, startWithin: startWithinMs, finishWithin: finishWithinMs } = input;
  const choices = { type, queue: input.queue, retry, timeoutMs, startWithinMs, finishWithinMs };
  const { queue, policy } = settle(choices, declared);
  // Rare fields are added, not spread: this is made for every task, and spreading takes as long as all the rest.
  const task: NewTask = {
    id,
    namespace,
    type: input.type,
    queue,
    priority: input.priority ?? DEFAULT_PRIORITY,
    dueAt: input.dueAt ?? now + (input.delay ?? 0),
    policy,
    payload: input.payload ?? null,
    trigger,
    scheduleId: null,
    fireAt: null,
    uniqueKey: input.uniqueKey ?? null,
    tags: input.tags ?? [],
    replayOf: null,
  };
  if (input.uniqueFor !== undefined) task.uniqueForMs = input.uniqueFor;
  if (input.concurrencyKey !== undefined) task.concurrencyKey = input.concurrencyKey;
  if (input.fairKey !== undefined) task.fairKey = input.fairKey;
  if (input.requires !== undefined) Object.assign(task, requiring(input.requires));
  return task;
}

/** Nothing for a task that any worker may run. */
export function requiring(labels: Labels | undefined): { requires?: Labels } {
  if (labels === undefined || Object.keys(labels).length === 0) return {};
  return { requires: sortedLabels(labels) };
}
