/** Tasks in requests and answers. */
import { afterConditions, limits, logLevels } from "@carillon/core";
import { z } from "zod";
import { checkBuiltinPayload } from "./builtin.ts";
import {
  after,
  afterCondition,
  concurrencyKey,
  duration,
  durationAnswer,
  fairKey,
  finishWithin,
  instant,
  instantAnswer,
  name,
  nextPageToken,
  pageQuery,
  payload,
  priority,
  problem,
  publicState,
  queryList,
  queryText,
  reason,
  requires,
  requiresAnswer,
  retry,
  retryAnswer,
  startWithin,
  tags,
  timeout,
  uniqueFor,
  uniqueKey,
} from "./common.ts";

/** Of every task that is created, alone, among others or in a workflow. */
export const newTaskFields = {
  type: name,
  payload: payload.optional(),
  queue: name.optional(),
  dueAt: instant.optional(),
  delay: duration(limits.delayMs, "10m").optional(),
  priority: priority.optional(),
  retry: retry.optional(),
  timeout: timeout.optional(),
  startWithin: startWithin.optional(),
  finishWithin: finishWithin.optional(),
  concurrencyKey: concurrencyKey.optional(),
  fairKey: fairKey.optional(),
  tags: tags.optional(),
  requires: requires.optional(),
  when: afterCondition.optional(),
};

export function checkNewTask(
  task: Pick<z.output<z.ZodObject<typeof newTaskFields>>, "type" | "payload" | "dueAt" | "delay" | "when"> & {
    after?: readonly unknown[] | undefined;
  },
  context: z.core.$RefinementCtx,
): void {
  oneInstant(task, context);
  if (task.when !== undefined && (task.after === undefined || task.after.length === 0)) {
    problem(context, "required", "`when` is about the tasks of `after`.", ["after"]);
  }
  checkBuiltinPayload(task, context);
}

function oneInstant(
  { dueAt, delay }: { dueAt?: number | undefined; delay?: number | undefined },
  context: z.core.$RefinementCtx,
): void {
  if (dueAt !== undefined && delay !== undefined)
    problem(context, "exclusive", "Give either dueAt or delay, not both.", ["delay"]);
}

/** What is left out comes from what a worker declared for the type, else from the defaults. */
export const createTaskBody = z
  .strictObject({
    ...newTaskFields,
    uniqueKey: uniqueKey.optional(),
    uniquePolicy: z.enum(["keep", "replace", "reject"]).optional(),
    uniqueFor: uniqueFor.optional(),
    after: after.optional(),
  })
  .superRefine((task, context) => {
    checkNewTask(task, context);
    if (task.uniquePolicy !== undefined && task.uniqueKey === undefined) {
      problem(context, "required", "A unique policy needs a unique key.", ["uniqueKey"]);
    }
    if (task.uniqueFor !== undefined && task.uniqueKey === undefined) {
      problem(context, "required", "A window needs a unique key.", ["uniqueKey"]);
    }
  })
  .meta({
    id: "CreateTask",
    example: { type: "send-invoice", payload: { customerId: "42" }, delay: "10m", tags: ["invoices"] },
  });
export type CreateTask = z.output<typeof createTaskBody>;

export const createTasksBody = z
  .strictObject({ tasks: z.array(createTaskBody).min(1).max(limits.batchTasks) })
  .superRefine(({ tasks }, context) => {
    const edges = tasks.reduce((sum, { after = [] }) => sum + after.length, 0);
    if (edges > limits.workflowEdges)
      problem(context, "too_many", `At most ${limits.workflowEdges} entries in all lists \`after\` together.`, [
        "tasks",
      ]);
  })
  .meta({ example: { tasks: [{ type: "send-invoice", payload: { customerId: "42" } }] } });

export const patchTaskBody = z
  .strictObject({
    priority: priority.optional(),
    dueAt: instant.optional(),
    payload: payload.optional(),
    queue: name.optional(),
  })
  .meta({ example: { priority: 1 } });
export type PatchTask = z.output<typeof patchTaskBody>;

export const cancelTaskBody = z
  .strictObject({ reason: reason.optional() })
  .meta({ example: { reason: "customer left" } });

const { type: _type, when: _when, ...replayFields } = newTaskFields;

/** What is left out is as it was. */
export const replayTaskBody = z
  .strictObject(replayFields)
  .superRefine(oneInstant)
  .meta({ example: { payload: { customerId: "43" } } });
export type ReplayTask = z.output<typeof replayTaskBody>;

export const listTasksQuery = z
  .strictObject({
    state: queryList(publicState).optional(),
    type: queryList(name).optional(),
    queue: queryList(name).optional(),
    schedule: name.optional(),
    workflow: queryText(64).meta({ description: "Id of the workflow that they belong to." }).optional(),
    tag: queryText(limits.tagLength).optional(),
    q: queryText(256).meta({ description: "A part of the type, payload or error, or a task id." }).optional(),
    from: instant.meta({ description: "Created at or after." }).optional(),
    to: instant.meta({ description: "Created before." }).optional(),
    ...pageQuery,
  })
  .superRefine(({ from, to }, context) => {
    if (from !== undefined && to !== undefined && to < from)
      problem(context, "range_reversed", "`to` is before `from`.", ["to"]);
  });
export type ListTasks = z.output<typeof listTasksQuery>;

export const getTaskQuery = z.strictObject({
  wait: duration([0, 60_000], "30s")
    .meta({ description: "Answer when the task is final, at the latest after this long (at most 60s)." })
    .optional(),
});

export const taskParams = z.object({ id: z.string().meta({ examples: ["task_01jd3v8q7x2m4"] }) });
export const pageOnlyQuery = z.strictObject(pageQuery);
const logFilter = {
  level: z.enum(logLevels).meta({ description: "This level and those above it." }).optional(),
  q: queryText(256).meta({ description: "A part of the message." }).optional(),
};
export const logsQuery = z.strictObject({
  ...logFilter,
  ...pageQuery,
  follow: z
    .enum(["0", "1", "false", "true"])
    .meta({ description: "1: a stream of server-sent events until the task is final." })
    .optional(),
});

export const searchLogsQuery = z
  .strictObject({
    ...logFilter,
    state: queryList(publicState).optional(),
    type: queryList(name).optional(),
    queue: queryList(name).optional(),
    schedule: name.optional(),
    workflow: queryText(64).meta({ description: "Id of the workflow that they belong to." }).optional(),
    tag: queryText(limits.tagLength).optional(),
    from: instant.meta({ description: "Of tasks that were created at or after." }).optional(),
    to: instant.meta({ description: "Of tasks that were created before." }).optional(),
    ...pageQuery,
  })
  .superRefine(({ from, to }, context) => {
    if (from !== undefined && to !== undefined && to < from)
      problem(context, "range_reversed", "`to` is before `from`.", ["to"]);
  });
export type SearchLogs = z.output<typeof searchLogsQuery>;

// Answers.

export const taskError = z.strictObject({
  code: z.string(),
  name: z.string(),
  message: z.string(),
  stack: z.string().nullable(),
});

const id = z.string().meta({ examples: ["task_01jd3v8q7x2m4"] });

const taskFields = {
  id,
  namespace: z.string(),
  type: z.string(),
  queue: z.string(),
  state: publicState,
  reason: z.string().nullable(),
  priority: z.int(),
  createdAt: instantAnswer,
  dueAt: instantAnswer,
  startedAt: instantAnswer.nullable(),
  finishedAt: instantAnswer.nullable(),
  latenessMs: z.number().nullable(),
  attempt: z.int(),
  maxAttempts: z.int(),
  lost: z.int(),
  progress: z
    .strictObject({ fraction: z.number(), message: z.string().nullable() })
    .nullable()
    .meta({ description: "What the handler of the latest attempt said last, from 0 to 1." }),
  retry: retryAnswer,
  timeout: durationAnswer,
  startWithin: durationAnswer.nullable(),
  finishWithin: durationAnswer.nullable(),
  trigger: z.enum(["api", "sql", "schedule", "backfill", "manual", "workflow"]),
  schedule: z.string().nullable(),
  fireAt: instantAnswer.nullable(),
  workflow: z
    .string()
    .nullable()
    .meta({ examples: ["wf_01jd3v8q7x2m4"] }),
  workflowKey: z.string().nullable().meta({ description: "Its key in its workflow." }),
  after: z.array(z.string()),
  when: z.enum(afterConditions).nullable().meta({ description: "null: it comes after none." }),
  replayOf: z.string().nullable(),
  uniqueKey: z.string().nullable(),
  concurrencyKey: z.string().nullable(),
  fairKey: z.string().nullable(),
  tags: z.array(z.string()),
  requires: requiresAnswer,
  worker: z.string().nullable(),
  cancelRequestedAt: instantAnswer.nullable(),
};

const example = {
  id: "task_01jd3v8q7x2m4",
  namespace: "default",
  type: "send-invoice",
  queue: "billing",
  state: "retrying",
  reason: null,
  priority: 5,
  createdAt: "2026-11-21T01:00:00.120Z",
  dueAt: "2026-11-21T01:00:02.000Z",
  startedAt: "2026-11-21T01:00:00.123Z",
  finishedAt: null,
  latenessMs: 2,
  attempt: 1,
  maxAttempts: 5,
  lost: 0,
  payload: { customerId: "42" },
  result: null,
  error: { code: "handler_error", name: "Error", message: "the printer is on fire", stack: null },
  progress: null,
  retry: { maxAttempts: 5, backoff: { kind: "exponential", initial: "1s", factor: 2, max: "10m", jitter: "full" } },
  timeout: "1h",
  startWithin: null,
  finishWithin: null,
  trigger: "api",
  schedule: null,
  fireAt: null,
  workflow: null,
  workflowKey: null,
  after: [],
  when: null,
  replayOf: null,
  uniqueKey: null,
  concurrencyKey: null,
  fairKey: null,
  tags: ["invoices"],
  requires: {},
  worker: "w-7",
  cancelRequestedAt: null,
} as const;

export const taskAnswer = z
  .strictObject({ ...taskFields, payload: z.unknown(), result: z.unknown(), error: taskError.nullable() })
  .meta({ id: "Task", example });
export type Task = z.output<typeof taskAnswer>;

/** As lists show it: without payload, result and the error's stack. */
export const taskSummary = z
  .strictObject({ ...taskFields, error: taskError.omit({ stack: true }).nullable() })
  .meta({ id: "TaskSummary" });
export type TaskSummary = z.output<typeof taskSummary>;

export const taskList = z.strictObject({ tasks: z.array(taskSummary), nextPageToken });

export const createTasksAnswer = z.strictObject({ tasks: z.array(z.strictObject({ id, created: z.boolean() })) });

export const attempt = z
  .strictObject({
    number: z.int(),
    worker: z.string().nullable(),
    node: z.string().nullable(),
    dueAt: instantAnswer,
    startedAt: instantAnswer.nullable(),
    finishedAt: instantAnswer,
    latenessMs: z.number().nullable(),
    outcome: z.enum(["succeeded", "failed", "lost", "cancelled", "snoozed"]),
    error: taskError.nullable(),
  })
  .meta({ id: "Attempt" });
export type AttemptAnswer = z.output<typeof attempt>;
export const attemptList = z.strictObject({ attempts: z.array(attempt), nextPageToken });

export const logLine = z
  .strictObject({
    at: instantAnswer,
    level: z.enum(logLevels),
    message: z.string(),
    attempt: z.int(),
  })
  .meta({ id: "LogLine" });
export type LogLineAnswer = z.output<typeof logLine>;
export const logList = z.strictObject({ logs: z.array(logLine), nextPageToken });

export const foundLogLine = logLine
  .extend({ task: z.strictObject({ id, type: z.string(), queue: z.string(), state: publicState }) })
  .meta({ id: "FoundLogLine" });
export type FoundLogLineAnswer = z.output<typeof foundLogLine>;
export const foundLogList = z.strictObject({ logs: z.array(foundLogLine), nextPageToken });

export const typeList = z.strictObject({
  types: z.array(
    z
      .strictObject({
        type: z.string(),
        queue: z.string().nullable(),
        retry: retryAnswer.nullable(),
        timeout: durationAnswer.nullable(),
        declaredAt: instantAnswer,
      })
      .meta({ id: "TaskType" }),
  ),
  nextPageToken,
});
export type TaskType = z.output<typeof typeList>["types"][number];
