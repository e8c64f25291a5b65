// Handlers for a thread of their own; the module that it imports.
import { existsSync } from "node:fs";
import { Snooze, task } from "@carillon/client";

const thread = import.meta.url;

/** Blocks its thread: nothing else gets a turn there, a signal neither. */
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

export const blocking = task("blocking", {
  thread,
  run: ({ until }) => {
    while (!existsSync(until)) block(10);
    return "done";
  },
});

export const telling = task("telling", {
  thread,
  run: async (payload, { log, progress, attempt, taskId }) => {
    log.info("from a thread", { attempt });
    progress(0.5, "half");
    if (payload === "snooze") throw new Snooze("1m");
    if (payload === "fail") throw new RangeError("too far");
    if (payload === "exit") process.exit(3);
    return { payload, taskId };
  },
});

export const obedient = task("obedient", {
  thread,
  run: (_payload, { signal, log }) => {
    log.info("waits");
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  },
});

export const strict = task("strict", {
  thread,
  schema: {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => (value === 1 ? { value } : { issues: [{ message: "only 1" }] }),
    },
  },
  run: () => "ran",
});
