/** Two task types for demonstrations and measurements. */
import { delay } from "@carillon/core/clock";
import { processClock } from "./process-clock.ts";
import { durationMs } from "./retry-options.ts";
import { type TaskDefinition, task } from "./task.ts";

/** Does nothing. */
export const noop: TaskDefinition<unknown, null> = task("noop", { run: () => null });

/** Waits: payload `{ "for": "1s" }`. */
export const sleep: TaskDefinition<{ for: string }, null> = task("sleep", {
  async run(payload: { for: string }, { signal }) {
    await delay(processClock(), durationMs(payload.for, "/payload/for"), signal);
    signal.throwIfAborted();
    return null;
  },
});
