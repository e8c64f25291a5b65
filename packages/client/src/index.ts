export { CarillonError, type ErrorCode, type FieldError } from "@carillon/core/errors";
export type { BatchOptions } from "./batch.ts";
export { noop, sleep } from "./builtin.ts";
export type { CalendarListQuery, CalendarOptions } from "./calendars-client.ts";
export { Carillon, type CarillonOptions } from "./client.ts";
export { AttemptAborted, Discard, Fatal, RetryAfter, Snooze, TaskFailedError, WaitTimeoutError } from "./errors.ts";
export type { ChangeEvent } from "./events.ts";
export type { Fetch, LocalCalls } from "./http.ts";
export type { OperationListQuery } from "./operations-client.ts";
export { processClock } from "./process-clock.ts";
export type * from "./protocol.ts";
export type { BreakerOptions, QueueListQuery, QueueOptions, RateLimitOptions } from "./queues-client.ts";
export type { RetryOptions } from "./retry-options.ts";
export type {
  BackfillOptions,
  FireListQuery,
  RuleOptions,
  ScheduleListQuery,
  ScheduleOptions,
  ScheduleTask,
} from "./schedules-client.ts";
export {
  type AnyTask,
  type BatchTaskOptions,
  type StandardSchema,
  type TaskContext,
  type TaskDefinition,
  type TaskLog,
  type TaskOptions,
  task,
} from "./task.ts";
export {
  type BroadcastOptions,
  type BulkAction,
  type BulkFilter,
  type CreateOptions,
  type LogQuery,
  type LogSearchQuery,
  type ReplayOptions,
  TaskHandle,
  type TaskListQuery,
} from "./tasks-client.ts";
export type * from "./types.ts";
export { version } from "./version.ts";
export { Worker, type WorkerOptions } from "./worker.ts";
export type { WorkerListQuery } from "./workers-client.ts";
export type {
  WorkflowAddOptions,
  WorkflowListQuery,
  WorkflowOptions,
  WorkflowTaskOptions,
} from "./workflows-client.ts";
