import type { Clock } from "@carillon/core";

/** Node's timers take at most 2³¹ − 1 ms and fire at once beyond that. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** This process' own clock. */
export function processClock(): Clock {
  return {
    now: () => performance.timeOrigin + performance.now(),
    monotonic: () => performance.now(),
    after(delayMs, callback) {
      if (delayMs <= 0) {
        const immediate = setImmediate(callback);
        return () => clearImmediate(immediate);
      }
      let timer: NodeJS.Timeout;
      const arm = (remainingMs: number) => {
        timer = setTimeout(
          () => (remainingMs > MAX_TIMER_MS ? arm(remainingMs - MAX_TIMER_MS) : callback()),
          Math.min(remainingMs, MAX_TIMER_MS),
        );
      };
      arm(delayMs);
      return () => clearTimeout(timer);
    },
  };
}
