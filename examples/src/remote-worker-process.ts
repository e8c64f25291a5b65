/** The worker of `remote-worker.ts`. It finds its node by `CARILLON_URL`. */
import { task, Worker } from "@carillon/client";

const square = task("square", {
  queue: "arithmetic",
  retry: { maxAttempts: 3 },
  run: ({ n }: { n: number }) => ({ square: n * n, pid: process.pid }),
});

const worker = new Worker({ tasks: [square], concurrency: 5 });
const running = worker.run();
await worker.connected();
process.send?.("connected");
await running;
