/** BullMQ at its best: finished jobs are removed at once. */
import { type Contender, type Payload, redisPort } from "./contender.ts";
import { peer } from "./peer.ts";

async function connection() {
  const { Redis } = await peer("ioredis");
  return new Redis({ host: "127.0.0.1", port: redisPort(), maxRetriesPerRequest: null });
}

const options = (due: number | null) => ({
  removeOnComplete: true,
  removeOnFail: true,
  ...(due === null ? {} : { delay: Math.max(0, due - Date.now()) }),
});

export const bullmq: Contender = {
  settings: "finished jobs removed, concurrency 500",
  prepare: async () => {},
  async openProducer() {
    const { Queue } = await peer("bullmq");
    const queue = new Queue("bench", { connection: await connection() });
    let sent = 0;
    return {
      async bulk(dueAts) {
        await queue.addBulk(dueAts.map((due) => ({ name: "bench", data: { n: sent++, due }, opts: options(due) })));
      },
      async single() {
        await queue.add("bench", { n: sent++, due: null }, options(null));
      },
      async schedules(count, seconds) {
        for (let i = 0; i < count; i += 20) {
          await Promise.all(
            Array.from({ length: Math.min(20, count - i) }, (_, j) =>
              queue.upsertJobScheduler(
                `bench-${i + j}`,
                { every: seconds * 1_000 },
                { name: "bench", data: { n: i + j, due: null }, opts: options(null) },
              ),
            ),
          );
        }
      },
      close: () => queue.close(),
    };
  },
  async openWorker({ concurrency, onStart }) {
    const { Worker } = await peer("bullmq");
    const worker = new Worker(
      "bench",
      async ({ id, data }: { id: string; data: Payload }) => {
        // A scheduler's job is called `repeat:NAME:INSTANT`.
        onStart(data.due ?? (id.startsWith("repeat:") ? Number(id.split(":").at(-1)) : null));
      },
      { connection: await connection(), concurrency: Math.min(concurrency, 500) },
    );
    await worker.waitUntilReady();
    return { close: () => worker.close(true) };
  },
};
