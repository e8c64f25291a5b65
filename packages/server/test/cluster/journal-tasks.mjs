// The task types of the cluster tests. Every start and end goes to a journal of this process, one JSON line each, written at once, so that
// what a killed process had done is known.
import { openSync, writeSync } from "node:fs";
import { Carillon, task } from "@carillon/client";

const { CARILLON_TEST_URLS } = process.env;
const carillon = CARILLON_TEST_URLS === undefined ? null : new Carillon({ url: CARILLON_TEST_URLS.split(" ") });
const journal = openSync(process.env.CARILLON_TEST_JOURNAL, "a");
const now = () => performance.timeOrigin + performance.now();
const write = (line) => writeSync(journal, `${JSON.stringify(line)}\n`);

function journaled(work) {
  return async (payload, context) => {
    const { taskId, attempt, fencingToken, dueAt, fireAt, schedule, signal } = context;
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
    const result = await work(payload, context, () => write({ event: "added", at: now(), ...line }));
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
  run: journaled(async ({ ms }, { signal }) => {
    await sleep(ms, signal);
    return { ms };
  }),
});

/** Adds tasks to its workflow, which what comes after it waits for, and says so; the first attempt then goes on until it is killed. */
export const split = task("split", {
  retry: { maxAttempts: 100 },
  run: journaled(async ({ parts, ms, untilKilled }, { workflow, attempt, signal }, added) => {
    await carillon.workflows.add(workflow.id, {
      parent: workflow.key,
      tasks: Array.from({ length: parts }, (_, n) => ({ key: `part-${n}`, type: hold, payload: { ms } })),
    });
    added();
    await sleep(untilKilled && attempt === 1 ? 600_000 : ms, signal);
    return { parts };
  }),
});

/** Says more about itself than its callers do. */
export const declared = task("declared", {
  queue: "elsewhere",
  retry: { maxAttempts: 7 },
  timeout: "90s",
  run: journaled(() => ({})),
});
