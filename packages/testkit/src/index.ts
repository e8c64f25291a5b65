export { newTask } from "./builders.ts";
export * from "./checkers.ts";
export * from "./history.ts";
export { seededRandom } from "./random.ts";
export { ScriptedWorker, type ScriptedWorkerOptions } from "./scripted-worker.ts";
export { noFeed, noLog, noMetrics } from "./silent.ts";
export * from "./simulation/index.ts";
export { createTestEnvironment, type TestEnvironment, type TestEnvironmentOptions } from "./test-environment.ts";
export { VirtualClock } from "./virtual-clock.ts";
