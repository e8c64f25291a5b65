export type { Deps, Idempotency, LaneName, Log, TaskDispatcher } from "./deps.ts";
export { listFires } from "./fires.ts";
export { newTask, settle } from "./new-task.ts";
export * from "./schedules.ts";
export * from "./tasks.ts";
export { createDeclaredTypes, type DeclaredType, type DeclaredTypes, listTypes } from "./types.ts";
