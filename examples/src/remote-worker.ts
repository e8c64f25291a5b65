/** A node here, a worker in a process of its own (`remote-worker-process.ts`), connected over gRPC. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { startNode } from "carillon";

const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  listen: { host: "127.0.0.1", port: 0 },
});
console.log(`node ${process.pid} on ${node.url}`);

const worker = fork(new URL("./remote-worker-process.js", import.meta.url), {
  env: { ...process.env, CARILLON_URL: node.url ?? "" },
});

// Only the type's name is known here: queue, retries and timeout are what the worker declares for it.
await once(worker, "message");
const handles = await Promise.all([3, 4, 5].map((n) => node.client.tasks.create("square", { n })));
for (const handle of handles) {
  const { square, pid } = (await handle.result({ timeout: "30s" })) as { square: number; pid: number };
  console.log(`${handle.id}: ${square}, computed by process ${pid}`);
}

worker.kill("SIGTERM");
await once(worker, "exit");
await node.close();
