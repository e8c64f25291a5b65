/** Workflows in requests and answers. */
import { afterConditions, failurePolicies, limits, workflowStates } from "@carillon/core";
import { z } from "zod";
import { instantAnswer, name, nextPageToken, pageQuery, problem, publicState, reason, refuseTwice } from "./common.ts";
import { checkNewTask, newTaskFields, taskError } from "./tasks.ts";

const key = name.meta({ examples: ["charge"] });
const keys = z
  .array(key)
  .max(limits.after)
  .superRefine((names, context) => refuseTwice(names, context));

const workflowTaskBody = z
  .strictObject({
    key: key.meta({ description: "Its name in the workflow.", examples: ["charge"] }),
    ...newTaskFields,
    after: keys.meta({ description: "Keys of tasks of this workflow that come first." }).optional(),
  })
  .superRefine(checkNewTask);

export const createWorkflowBody = z
  .strictObject({
    name,
    onFailure: z
      .enum(failurePolicies)
      .meta({
        description:
          "`stop` (default): once a task has failed, those that have not started are skipped, but for what waits for failures or for any end, and what comes after it; `continue`: only what comes after it and asks for success is.",
      })
      .optional(),
    tasks: z.array(workflowTaskBody).min(1).max(limits.workflowTasks),
  })
  .meta({
    id: "CreateWorkflow",
    example: {
      name: "order",
      tasks: [
        { key: "charge", type: "charge-card", payload: { order: 42 } },
        { key: "ship", type: "ship-order", after: ["charge"] },
        { key: "refund", type: "refund-card", after: ["ship"], when: "on-failure" },
      ],
    },
  });
export type CreateWorkflow = z.output<typeof createWorkflowBody>;

export const addToWorkflowBody = z
  .strictObject({
    parent: key
      .meta({
        description:
          "Key of the task that adds them, usually one that runs: what comes after it in the workflow, and has not been told of its end, then comes after each of these as well.",
        examples: ["split"],
      })
      .optional(),
    tasks: z.array(workflowTaskBody).min(1).max(limits.workflowTasks).meta({
      description:
        "`after` names keys of these or of tasks that the workflow has, also of final ones. One whose key the workflow has is left out: the first one stays as it is.",
    }),
  })
  .meta({
    id: "AddToWorkflow",
    example: {
      parent: "split",
      tasks: [
        { key: "part-1", type: "convert", payload: { page: 1 } },
        { key: "part-2", type: "convert", payload: { page: 2 } },
      ],
    },
  });
export type AddToWorkflow = z.output<typeof addToWorkflowBody>;

export const workflowParams = z.object({ id: z.string().meta({ examples: ["wf_01jd3v8q7x2m4"] }) });
export const listWorkflowsQuery = z.strictObject(pageQuery);
export type ListWorkflows = z.output<typeof listWorkflowsQuery>;

export const cancelWorkflowBody = z
  .strictObject({ reason: reason.optional() })
  .meta({ example: { reason: "wrong order" } });

export const retryWorkflowBody = z
  .strictObject({
    from: z
      .array(key)
      .min(1)
      .max(limits.after)
      .meta({ description: "Only these tasks, and what comes after them. Default: all." })
      .optional(),
  })
  .superRefine(({ from = [] }, context) => {
    if (new Set(from).size < from.length) problem(context, "duplicate", "A key is in this list twice.", ["from"]);
  })
  .meta({ example: { from: ["ship"] } });

const workflowFields = {
  id: z.string().meta({ examples: ["wf_01jd3v8q7x2m4"] }),
  namespace: z.string(),
  name: z.string(),
  state: z.enum(workflowStates).meta({
    description:
      "`running` until all of its tasks are final; then `failed` if one has failed, else `cancelled` if one was cancelled, else `succeeded`.",
  }),
  onFailure: z.enum(failurePolicies),
  reason: z.string().nullable().meta({ description: "Why it was cancelled." }),
  counts: z
    .strictObject({
      total: z.int(),
      open: z.int(),
      succeeded: z.int(),
      failed: z.int(),
      cancelled: z.int(),
      skipped: z.int(),
    })
    .meta({ description: "Of its tasks; those that are not final are `open`." }),
  createdAt: instantAnswer,
  finishedAt: instantAnswer.nullable(),
  cancelRequestedAt: instantAnswer.nullable(),
};

const example = {
  id: "wf_01jd3v8q7x2m4",
  namespace: "default",
  name: "order",
  state: "running",
  onFailure: "stop",
  reason: null,
  counts: { total: 3, open: 2, succeeded: 1, failed: 0, cancelled: 0, skipped: 0 },
  createdAt: "2026-11-21T01:00:00.120Z",
  finishedAt: null,
  cancelRequestedAt: null,
} as const;

/** As lists show it. */
export const workflowSummary = z.strictObject(workflowFields).meta({ id: "WorkflowSummary", example });
export type WorkflowSummary = z.output<typeof workflowSummary>;

const workflowTask = z.strictObject({
  key: z.string(),
  id: z.string().meta({ examples: ["task_01jd3v8q7x2m4"] }),
  type: z.string().nullable(),
  queue: z.string().nullable(),
  state: publicState.nullable().meta({ description: "null: the task is forgotten, and so are its other fields." }),
  reason: z.string().nullable(),
  after: z.array(z.string()).meta({ description: "Keys." }),
  when: z.enum(afterConditions).nullable(),
  dueAt: instantAnswer.nullable(),
  startedAt: instantAnswer.nullable(),
  finishedAt: instantAnswer.nullable(),
  attempt: z.int(),
  error: taskError.omit({ stack: true }).nullable(),
});
export type WorkflowTaskAnswer = z.output<typeof workflowTask>;

/** With its graph: the tasks in the order in which they were submitted. */
export const workflowAnswer = z
  .strictObject({ ...workflowFields, tasks: z.array(workflowTask) })
  .meta({ id: "Workflow" });
export type WorkflowAnswer = z.output<typeof workflowAnswer>;

export const workflowList = z.strictObject({ workflows: z.array(workflowSummary), nextPageToken });
