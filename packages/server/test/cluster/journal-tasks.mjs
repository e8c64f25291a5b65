// The task types of the cluster tests. Every start and end goes to a journal of this process, one JSON line each, written at once, so that
// what a killed process had done is known.
import { openSync, writeSync } from "node:fs";
import { task } from "@carillon/client";

const journal = openSync(process.env.CARILLON_TEST_JOURNAL, "a");
const now = () => performance.timeOrigin + performance.now();
const write = (line) => writeSync(journal, `${JSON.stringify(line)}\n`);

function journaled(work) {
  return async (payload, { taskId, attempt, fencingToken, dueAt, fireAt, schedule, signal }) => {
    const startedAt = now();
    const line = {
      taskId,
      attempt,
      token: fencingToken,
      worker: process.pid,
      schedule,
      fireAt: fireAt && +fireAt,
      dueAt: +dueAt,
    };
    write({ event: "start", at: startedAt, ...line });
    const aborted = () => write({ event: "aborted", at: now(), why: signal.reason?.why, ...line });
    signal.addEventListener("abort", aborted, { once: true });
    const result = await work(payload, signal);
    signal.removeEventListener("abort", aborted);
    write({ event: "end", at: now(), ...line });
    return result;
  };
}

const sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

/** Ends at once. */
export const tick = task("tick", {
  retry: { maxAttempts: 100 },
  run: journaled((payload) => ({ n: payload?.n ?? null })),
});

/** Takes as long as its payload says. */
export const hold = task("hold", {
  retry: { maxAttempts: 100 },
  run: journaled(async ({ ms }, signal) => {
    await sleep(ms, signal);
    return { ms };
  }),
});

/** Says more about itself than its callers do. */
export const declared = task("declared", {
  queue: "elsewhere",
  retry: { maxAttempts: 7 },
  timeout: "90s",
  run: journaled(() => ({})),
});
