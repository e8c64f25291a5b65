export type { Deps, Idempotency, LaneName, Log, TaskDispatcher } from "./deps.ts";
export { listFires } from "./fires.ts";
export { listLateness } from "./lateness.ts";
export { settle } from "./new-task.ts";
export { getScheduleStats } from "./schedule-stats.ts";
export * from "./schedules.ts";
export * from "./tasks.ts";
export { createDeclaredTypes, type DeclaredTypes } from "./types.ts";
