export { addToWorkflow } from "./add-to-workflow.ts";
export { broadcastTask } from "./broadcast.ts";
export { listTargets } from "./broken-targets.ts";
export { deleteCalendar, foreseeCalendar, getCalendar, listCalendars, putCalendar } from "./calendars.ts";
export type { Deps, Idempotency, Log, TaskDispatcher } from "./deps.ts";
export { explainSchedule } from "./explain-schedule.ts";
export { explainTask } from "./explain-task.ts";
export { listFailures } from "./failures.ts";
export { listFires } from "./fires.ts";
export { listLateness } from "./lateness.ts";
export { settle } from "./new-task.ts";
export { backfillSchedule, bulkTasks, cancelOperation, getOperation, listOperations } from "./operations.ts";
export { getQueue, listQueues, patchQueue, pauseQueue, putQueue, resumeQueue } from "./queues.ts";
export { replayTask } from "./replay.ts";
export { scheduleLoad } from "./schedule-load.ts";
export { getScheduleStats } from "./schedule-stats.ts";
export * from "./schedules.ts";
export { searchLogs } from "./search-logs.ts";
export { getQueueStats, getStats } from "./stats.ts";
export * from "./tasks.ts";
export { createDeclaredTypes, type DeclaredTypes } from "./types.ts";
export { listWorkers } from "./workers.ts";
export {
  cancelWorkflow,
  createWorkflow,
  getWorkflow,
  listWorkflows,
  retryWorkflow,
} from "./workflows.ts";
