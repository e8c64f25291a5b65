/**
 * The client's hand-written types against the shapes that the REST API reads and sends: what the server answers fits the client's type,
 * with the same fields, and what the client offers to send is what the server reads. `npm run check` compiles this; the run makes sure
 * that the schemas compared are the ones in use.
 */
import type {
  AttemptInfo,
  BackfillOptions,
  BroadcastOptions,
  CalendarOptions,
  CreateOptions,
  Fire,
  LogLine,
  LogSearchQuery,
  Operation,
  Queue,
  QueueOptions,
  QueueStats,
  RetryOptions,
  RuleOptions,
  RuleSource,
  Schedule,
  ScheduleOptions,
  SchedulePreview,
  ScheduleTask,
  Task,
  TaskListQuery,
  TaskSummary,
  Workflow,
  WorkflowAddOptions,
  WorkflowOptions,
  WorkflowSummary,
  WorkflowTaskOptions,
} from "@carillon/client";
import { expect, test } from "vitest";
import type { z } from "zod";
import type * as broadcast from "../src/http/schemas/broadcast.ts";
import type * as calendars from "../src/http/schemas/calendars.ts";
import type * as common from "../src/http/schemas/common.ts";
import type * as operations from "../src/http/schemas/operations.ts";
import type * as queues from "../src/http/schemas/queues.ts";
import * as schedules from "../src/http/schemas/schedules.ts";
import type * as stats from "../src/http/schemas/stats.ts";
import * as tasks from "../src/http/schemas/tasks.ts";
import type * as workflows from "../src/http/schemas/workflows.ts";

/** True when both have the same fields, on every level of objects. */
type SameFields<A, B> = [keyof A] extends [keyof B] ? ([keyof B] extends [keyof A] ? true : false) : false;
/** True when what the server sends can be read as what the client says. */
type Fits<Sent, Read> = [Sent] extends [Read] ? true : false;
type Same<Sent, Read> = SameFields<Sent, Read> extends true ? Fits<Sent, Read> : false;

const yes = <T extends true>(..._facts: T[]) => {};

/** Fields that a request may have; what they may hold is the server's to say. */
type Fields<Schema extends z.ZodType> = Record<keyof z.input<Schema>, unknown>;

test("what the server answers is what the client says", () => {
  yes<
    | Same<z.output<typeof tasks.taskAnswer>, Task>
    | Same<z.output<typeof tasks.taskSummary>, TaskSummary>
    | Same<NonNullable<z.output<typeof tasks.taskAnswer>["error"]>, NonNullable<Task["error"]>>
    | Same<z.output<typeof tasks.attempt>, AttemptInfo>
    | Same<z.output<typeof tasks.logLine>, LogLine>
    | Same<z.output<typeof schedules.scheduleAnswer>, Schedule>
    | Same<z.output<typeof schedules.scheduleAnswer>["task"], Schedule["task"]>
    | Same<z.output<typeof schedules.scheduleAnswer>["catchUp"], Schedule["catchUp"]>
    | Same<z.output<typeof schedules.fire>, Fire>
    | Same<z.output<typeof operations.operationAnswer>, Operation>
    | Same<z.output<typeof workflows.workflowSummary>, WorkflowSummary>
    | Same<z.output<typeof workflows.workflowAnswer>, Workflow>
    | Same<z.output<typeof workflows.workflowAnswer>["tasks"][number], Workflow["tasks"][number]>
    | Same<NonNullable<z.output<typeof schedules.fire>["task"]>, NonNullable<Fire["task"]>>
    | Same<z.output<typeof schedules.previewAnswer>, SchedulePreview>
    | Same<z.output<typeof schedules.previewAnswer>["fires"][number], SchedulePreview["fires"][number]>
    | Same<z.output<typeof queues.queueAnswer>, Queue>
    | Same<NonNullable<z.output<typeof queues.queueAnswer>["rateLimit"]>, NonNullable<Queue["rateLimit"]>>
    | Same<z.output<typeof stats.queueStats>, QueueStats>
    | Fits<Task["state"], z.output<typeof common.publicState>>
    | Fits<z.output<typeof common.publicState>, Task["state"]>
    | Fits<Fire["outcome"], z.output<typeof schedules.fireOutcome>>
  >();
  expect(Object.keys(tasks.taskAnswer.shape)).toContain("cancelRequestedAt");
  expect(Object.keys(schedules.scheduleAnswer.shape)).toContain("catchUp");
});

test("what the client offers to send is what the server reads", () => {
  yes<
    | SameFields<Fields<typeof tasks.createTaskBody>, Omit<CreateOptions, "idempotencyKey"> & { type: 1; payload: 1 }>
    | SameFields<Fields<typeof tasks.listTasksQuery>, TaskListQuery>
    | SameFields<Fields<typeof tasks.searchLogsQuery>, LogSearchQuery>
    | SameFields<
        Fields<typeof broadcast.broadcastBody>,
        Omit<BroadcastOptions, "idempotencyKey"> & { type: 1; payload: 1 }
      >
    | SameFields<Fields<typeof schedules.putScheduleBody>, Omit<ScheduleOptions, "payload"> & { name: 1 }>
    | SameFields<z.input<typeof schedules.putScheduleBody>["task"], ScheduleTask>
    | SameFields<Fields<typeof schedules.previewBody>, RuleOptions & { name: 1; from: 1; count: 1; calendars: 1 }>
    | SameFields<Fields<typeof calendars.putCalendarBody>, CalendarOptions & { name: 1 }>
    | Fits<CalendarOptions, z.input<typeof calendars.putCalendarBody>>
    | SameFields<Fields<typeof operations.backfillBody>, BackfillOptions>
    | SameFields<Fields<typeof queues.putQueueBody>, QueueOptions>
    | Fits<QueueOptions, z.input<typeof queues.putQueueBody>>
    | SameFields<Fields<typeof workflows.createWorkflowBody>, Omit<WorkflowOptions, "idempotencyKey">>
    | SameFields<z.input<typeof workflows.createWorkflowBody>["tasks"][number], WorkflowTaskOptions>
    | SameFields<Fields<typeof workflows.addToWorkflowBody>, WorkflowAddOptions>
    | SameFields<Fields<typeof common.retry>, RetryOptions>
    | SameFields<NonNullable<z.input<typeof common.retry>["backoff"]>, NonNullable<RetryOptions["backoff"]>>
    | Fits<NonNullable<RetryOptions["backoff"]>, NonNullable<z.input<typeof common.retry>["backoff"]>>
    | Fits<CreateOptions["uniquePolicy"], z.input<typeof tasks.createTaskBody>["uniquePolicy"]>
    | SameFields<NonNullable<z.input<typeof schedules.putScheduleBody>["rules"]>[number], RuleSource>
    | Fits<ScheduleOptions["dialect"], z.input<typeof schedules.putScheduleBody>["dialect"]>
    | Fits<ScheduleOptions["catchUp"], z.input<typeof schedules.putScheduleBody>["catchUp"]>
    | Fits<ScheduleOptions["dst"], z.input<typeof schedules.putScheduleBody>["dst"]>
  >();
  // A create with everything in it passes the server's own check.
  const everything: Required<Omit<CreateOptions, "idempotencyKey" | "delay">> = {
    dueAt: "2027-01-01T08:00:00Z",
    priority: 1,
    queue: "q",
    uniqueKey: "k",
    uniquePolicy: "keep",
    uniqueFor: "1h",
    concurrencyKey: "customer-42",
    fairKey: "customer-42",
    retry: { maxAttempts: 2, backoff: { kind: "fixed", initial: "1s", factor: 1, max: "1m", jitter: "none" } },
    timeout: "1m",
    startWithin: "5m",
    finishWithin: "1h",
    tags: ["a"],
    requires: { region: "eu" },
    after: ["task_01jd3v8q7x2m4"],
    when: "all",
  };
  expect(tasks.createTaskBody.safeParse({ type: "t", payload: {}, ...everything }).error).toBeUndefined();
});
