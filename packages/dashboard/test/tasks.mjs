/** Task types for the dashboard's tests. */
import { task } from "@carillon/client";

let broken = true;

/** Fails once, then succeeds, whatever the task. */
export const failsOnce = task("fails-once", {
  retry: { maxAttempts: 1 },
  run: async (_payload, { log }) => {
    log.info("about to decide");
    if (broken) {
      broken = false;
      throw new Error("the first time fails");
    }
    return { fine: true };
  },
});

/** Says what it was told to in its log, and in its result or its error. */
export const speaks = task("speaks", {
  retry: { maxAttempts: 1 },
  run: async ({ say, fail }, { log }) => {
    log.warn(say);
    if (fail) throw new Error(say);
    return { said: say };
  },
});

/** Logs until it is stopped. */
export const runsUntilStopped = task("runs-until-stopped", {
  retry: { maxAttempts: 1 },
  run: async (_payload, { log, signal }) => {
    for (let line = 1; !signal.aborted; line++) {
      log.info(`line ${line}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    signal.throwIfAborted();
  },
});

/** Logs bursts of lines, some of them long, until it is stopped. */
export const logsInBursts = task("logs-in-bursts", {
  retry: { maxAttempts: 1 },
  run: async (_payload, { log, signal }) => {
    for (let burst = 1; !signal.aborted; burst++) {
      for (let line = 1; line < 40; line++) log.info(`${line} ${"word ".repeat((burst * line * 37) % 300)}`);
      log.info(`burst ${burst}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    signal.throwIfAborted();
  },
});

/** In a queue with a name as long as a name can be. */
export const farAway = task("far-away", { queue: "q".repeat(128), run: () => null });
