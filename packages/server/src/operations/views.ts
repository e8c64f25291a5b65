/** Records as the API shows them: every field present, null where there is nothing. */
import {
  describeRule,
  formatDuration,
  formatId,
  formatInstant,
  formatLocal,
  idCreatedAt,
  nextFireAt,
  type Placement,
  publicState,
  type RetryPolicy,
  rolledReason,
  type ScheduleRule,
  sortedLabels,
} from "@carillon/core";
import type { Attempt, Fire, LogLine, NewTask, ScheduleRecord, ScheduleSummary, TaskRecord } from "@carillon/store";
import type { FireAnswer, Schedule } from "../http/schemas/schedules.ts";
import type { AttemptAnswer, LogLineAnswer, Task, TaskSummary, TaskType } from "../http/schemas/tasks.ts";
import { toEvery } from "./schedule-definition.ts";
import type { DeclaredType } from "./types.ts";

const durationOf = (ms: number | undefined) => (ms === undefined ? null : formatDuration(ms));
const instant = (at: number | null) => (at === null ? null : formatInstant(at));

/** Start minus the later of due instant and creation, each as it is shown: in whole milliseconds. Null before the start. */
export function lateness(startedAt: number | null, dueAt: number, createdAt: number): number | null {
  return startedAt === null ? null : Math.max(0, Math.floor(startedAt) - Math.floor(Math.max(dueAt, createdAt)));
}

export function toTask(record: TaskRecord, now: number): Task {
  return Object.assign(taskFields(record, now), {
    payload: record.payload === null ? null : JSON.parse(record.payload),
    result: record.result === null ? null : JSON.parse(record.result),
    error: record.error && { ...record.error },
  });
}

export function toTaskSummary(record: TaskRecord, now: number): TaskSummary {
  const { error } = record;
  return Object.assign(taskFields(record, now), {
    error: error && { code: error.code, name: error.name, message: error.message },
  });
}

function taskFields(record: TaskRecord, now: number): Omit<TaskSummary, "error"> {
  const createdAt = idCreatedAt(record.id);
  return {
    id: formatId("task", record.id),
    namespace: record.namespace,
    type: record.type,
    queue: record.queue,
    state: publicState(record, now),
    reason: record.reason,
    priority: record.priority,
    createdAt: formatInstant(createdAt),
    dueAt: formatInstant(record.dueAt),
    startedAt: instant(record.startedAt),
    finishedAt: instant(record.finishedAt),
    latenessMs: lateness(record.startedAt, record.dueAt, createdAt),
    attempt: record.attempt,
    maxAttempts: record.policy.retry.maxAttempts,
    lost: record.lost,
    progress: record.progress && { ...record.progress },
    retry: toRetry(record.policy.retry),
    timeout: formatDuration(record.policy.timeoutMs),
    startWithin: durationOf(record.policy.startWithinMs),
    finishWithin: durationOf(record.policy.finishWithinMs),
    trigger: record.trigger,
    schedule: record.scheduleName,
    fireAt: instant(record.fireAt),
    workflow: record.workflow && formatId("workflow", record.workflow.id),
    workflowKey: record.workflow?.key ?? null,
    after: record.after.map((id) => formatId("task", id)),
    when: record.when,
    replayOf: record.replayOf === null ? null : formatId("task", record.replayOf),
    uniqueKey: record.uniqueKey,
    concurrencyKey: record.concurrencyKey ?? null,
    fairKey: record.fairKey ?? null,
    tags: record.tags,
    requires: sortedLabels(record.requires),
    worker: record.worker,
    cancelRequestedAt: instant(record.cancelRequestedAt),
  };
}

/** What the store will hold once this task is inserted. Field by field: a copy of an object this wide takes forty times as long. */
export function newTaskRecord(task: NewTask, scheduleName: string | null): TaskRecord {
  const { after = [], when = null, workflow = null } = task;
  return {
    id: task.id,
    namespace: task.namespace,
    type: task.type,
    queue: task.queue,
    state: after.length > 0 ? "blocked" : "pending",
    reason: null,
    priority: task.priority,
    dueAt: task.dueAt,
    startedAt: null,
    finishedAt: null,
    attempt: 0,
    failures: 0,
    lost: 0,
    payload: task.payload,
    result: null,
    error: null,
    progress: null,
    policy: task.policy,
    trigger: task.trigger,
    scheduleId: task.scheduleId,
    scheduleName,
    fireAt: task.fireAt,
    uniqueKey: task.uniqueKey,
    concurrencyKey: task.concurrencyKey ?? null,
    fairKey: task.fairKey ?? null,
    tags: task.tags,
    replayOf: task.replayOf,
    requires: task.requires ?? {},
    after,
    when,
    workflow,
    worker: null,
    cancelRequestedAt: null,
    attempts: [],
  };
}

function toRetry({ maxAttempts, backoff }: RetryPolicy): Task["retry"] {
  const { kind, initialMs, factor, maxMs, jitter } = backoff;
  return {
    maxAttempts,
    backoff: { kind, initial: formatDuration(initialMs), factor, max: formatDuration(maxMs), jitter },
  };
}

export function toAttempt(attempt: Attempt, taskCreatedAt: number): AttemptAnswer {
  return {
    number: attempt.number,
    worker: attempt.worker,
    node: attempt.node,
    dueAt: formatInstant(attempt.dueAt),
    startedAt: instant(attempt.startedAt),
    finishedAt: formatInstant(attempt.finishedAt),
    latenessMs: lateness(attempt.startedAt, attempt.dueAt, taskCreatedAt),
    outcome: attempt.outcome,
    error: attempt.error && { ...attempt.error },
  };
}

export function toLogLine({ at, level, message, attempt }: LogLine): LogLineAnswer {
  return { at: formatInstant(at), level, message, attempt };
}

export function toTaskType({ type, queue, policy, declaredAt }: DeclaredType): TaskType {
  return {
    type,
    queue,
    retry: policy.retry && toRetry(policy.retry),
    timeout: policy.timeoutMs === null ? null : formatDuration(policy.timeoutMs),
    declaredAt: formatInstant(declaredAt),
  };
}

export function toSchedule(record: ScheduleRecord & Partial<ScheduleSummary>, now: number): Schedule {
  const { rule, task, catchUp, overlap, pauseAfterFailures = null } = record.definition;
  const { lastTask = null, lastFireAt = null } = record;
  return {
    name: record.name,
    namespace: record.namespace,
    version: record.version,
    words: describeRule(rule),
    cron: rule.cron,
    every: toEvery(rule),
    rrule: rule.rrule ?? null,
    rules: rule.rules ?? null,
    timeZone: rule.timeZone,
    task: {
      type: task.type,
      payload: task.payload === null ? null : JSON.parse(task.payload),
      queue: task.queue,
      priority: task.priority,
      retry: task.retry && toRetry(task.retry),
      timeout: task.timeoutMs === null ? null : formatDuration(task.timeoutMs),
      startWithin: durationOf(task.startWithinMs),
      finishWithin: durationOf(task.finishWithinMs),
      concurrencyKey: task.concurrencyKey ?? null,
      fairKey: task.fairKey ?? null,
      tags: task.tags,
      requires: sortedLabels(task.requires ?? {}),
    },
    overlap,
    pauseAfterFailures,
    catchUp: { policy: catchUp.policy, window: formatDuration(catchUp.windowMs), limit: catchUp.limit },
    dst: rule.dst,
    dialect: rule.dialect,
    jitter: rule.jitter,
    startAt: rule.startAt,
    endAt: rule.endAt,
    maxFires: rule.maxFires,
    excludes: record.definition.excludes ?? [],
    includes: record.definition.includes ?? [],
    roll: rule.roll ?? "none",
    paused: record.paused,
    pause: record.pause && toPause(record.pause),
    nextFireAt: instant(nextFire(record, now)),
    lastFireAt: instant(lastFireAt),
    lastTask: lastTask && { id: formatId("task", lastTask.id), state: publicState(lastTask, now) },
    createdAt: formatInstant(record.createdAt),
    updatedAt: formatInstant(record.updatedAt),
  };
}

const toPause = ({ reason, at, until, by }: NonNullable<ScheduleRecord["pause"]>): Schedule["pause"] => ({
  reason,
  at: formatInstant(at),
  until: instant(until),
  by,
});

/** The stored value was right when the schedule was planned; since then its fire may have passed. */
function nextFire(record: ScheduleRecord & Partial<ScheduleSummary>, now: number): number | null {
  const { definition, paused, pause, fires, nextFireAt: stored, calendars = [] } = record;
  if (paused && pause?.until == null) return null;
  const after = paused ? pause!.until! - 1 : now;
  if (stored === null || stored > after) return stored;
  const { maxFires } = definition.rule;
  return maxFires === null || fires < maxFires ? nextFireAt(definition.rule, after, calendars) : null;
}

export function toFire(fire: Fire, rule: ScheduleRule, now: number): FireAnswer {
  const { task } = fire;
  return {
    at: formatInstant(fire.fireAt),
    local: formatLocal(fire.fireAt, rule.timeZone),
    outcome: fire.outcome,
    reason: fire.reason,
    task: task && {
      id: formatId("task", task.id),
      state: publicState(task, now),
      latenessMs: lateness(task.startedAt, task.dueAt, idCreatedAt(task.id)),
    },
    caughtUp: fire.caughtUp,
    backfilled: fire.backfilled,
    version: fire.version,
  };
}

export function toExpectedFire({ fireAt, rolledFrom }: Placement, { definition, version }: ScheduleRecord): FireAnswer {
  return {
    at: formatInstant(fireAt),
    local: formatLocal(fireAt, definition.rule.timeZone),
    outcome: "expected",
    reason: rolledReason(rolledFrom),
    task: null,
    caughtUp: false,
    backfilled: false,
    version,
  };
}
