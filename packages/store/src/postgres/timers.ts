import { performance } from "node:perf_hooks";
import type { Clock } from "@carillon/core";

/** Deadlines and pauses of input and output. No decision about a task is ever taken from these. */
export type Timers = Pick<Clock, "after" | "monotonic">;

/** The process's own timers; the one place of the store where real time enters. */
export const systemTimers: Timers = {
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export function pause(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => timers.after(delayMs, resolve));
}
