/** graphile-worker at its best: a poll of 10 ms; local queue and batched completions for throughput. */
import { type Contender, databaseUrl, type Payload, type WorkerOptions } from "./contender.ts";
import { peer } from "./peer.ts";

const silent = { error() {}, warn() {}, info() {}, debug() {} };

async function tools() {
  const { makeWorkerUtils, Logger } = await peer("graphile-worker");
  const logger = new Logger(() => (level: keyof typeof silent) => silent[level]?.());
  const utils = await makeWorkerUtils({ connectionString: databaseUrl(), logger });
  return { utils, logger };
}

const preset = (tuned: WorkerOptions["tuned"], concurrency: number) =>
  tuned === "throughput"
    ? {
        concurrentJobs: concurrency,
        maxPoolSize: 10,
        pollInterval: 10,
        localQueue: { size: 5_000 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      }
    : { concurrentJobs: concurrency, maxPoolSize: 20, pollInterval: 10, completeJobBatchDelay: 0 };

export const graphileWorker: Contender = {
  settings: "poll every 10 ms; for throughput a local queue of 5,000 and batched completions",
  async prepare() {
    const { utils } = await tools();
    await utils.migrate();
    await utils.release();
  },
  async openProducer() {
    const { utils } = await tools();
    let sent = 0;
    return {
      async bulk(dueAts) {
        await utils.addJobs(
          dueAts.map((due) => ({
            identifier: "bench",
            payload: { n: sent++, due },
            ...(due === null ? {} : { runAt: new Date(due) }),
          })),
        );
      },
      async single() {
        await utils.addJob("bench", { n: sent++, due: null });
      },
      close: () => utils.release(),
    };
  },
  async openWorker({ concurrency, tuned, onStart }) {
    const { run, Logger } = await peer("graphile-worker");
    const logger = new Logger(() => (level: keyof typeof silent) => silent[level]?.());
    const runner = await run({
      connectionString: databaseUrl(),
      logger,
      noHandleSignals: true,
      taskList: { bench: ({ due }: Payload) => onStart(due) },
      preset: { worker: { connectionString: databaseUrl(), ...preset(tuned, concurrency) } },
    });
    return { close: () => runner.stop() };
  },
};
