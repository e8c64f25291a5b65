export { newTask } from "./builders.ts";
export { seededRandom } from "./random.ts";
export { ScriptedWorker, type ScriptedWorkerOptions } from "./scripted-worker.ts";
export { noFeed, noLog, noMetrics } from "./silent.ts";
export { VirtualClock } from "./virtual-clock.ts";
