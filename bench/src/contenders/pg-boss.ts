/** pg-boss at its best: large batches and continuous fetching while they are full, listen/notify and a poll of 500 ms (its least) else. */
import { type Contender, databaseUrl, type Payload } from "./contender.ts";
import { peer } from "./peer.ts";

async function boss(supervise: boolean) {
  const { PgBoss } = await peer("pg-boss");
  const started = new PgBoss({ connectionString: databaseUrl(), supervise, schedule: false, useListenNotify: true });
  started.on("error", () => {});
  await started.start();
  return started;
}

export const pgBoss: Contender = {
  settings:
    "batches of 2,000, burst while full (throughput), batches of 100 and a poll of 0.5 s with notify (lateness)",
  async prepare() {
    const made = await boss(false);
    await made.createQueue("bench", { notify: true });
    await made.stop({ graceful: false });
  },
  async openProducer() {
    const producer = await boss(false);
    let sent = 0;
    return {
      async bulk(dueAts) {
        await producer.insert(
          "bench",
          dueAts.map((due) => ({
            data: { n: sent++, due },
            ...(due === null ? {} : { startAfter: new Date(due) }),
          })),
        );
      },
      async single() {
        await producer.send("bench", { n: sent++, due: null });
      },
      close: () => producer.stop({ graceful: false }),
    };
  },
  async openWorker({ tuned, onStart }) {
    const worker = await boss(true);
    await worker.work(
      "bench",
      {
        pollingIntervalSeconds: 0.5,
        // What is due later is never notified; without this it is looked for every 30 s.
        notifyPollingIntervalSeconds: 0.5,
        ...(tuned === "throughput"
          ? { batchSize: 2_000, burstWhenBatchFull: true, localConcurrency: 2 }
          : { batchSize: 100, burstWhenBatchFull: true, localConcurrency: 4 }),
      },
      async (jobs: { data: Payload }[]) => {
        for (const { data } of jobs) onStart(data.due);
      },
    );
    return { close: () => worker.stop({ graceful: false }) };
  },
};
