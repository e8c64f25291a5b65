/** The same with workers in processes of their own: one node that dispatches, and a worker connected to it over gRPC. */
import { Worker } from "@carillon/client";
import { startNode } from "carillon";
import { benchTask, carillon } from "./carillon.ts";
import { type Contender, databaseUrl } from "./contender.ts";

export const carillonGrpc: Contender = {
  settings: "one node, workers over gRPC on loopback; concurrency 2,000 (throughput), 1,000 (lateness)",
  prepare: carillon.prepare,
  openProducer: carillon.openProducer,
  async openWorker(options) {
    const url = process.env.BENCH_NODE_URL;
    if (!url) {
      const node = await startNode({ databaseUrl: databaseUrl() });
      process.send?.({ kind: "url", url: node.url });
      return { close: () => node.close({ timeout: "5s" }) };
    }
    const worker = new Worker({ url, tasks: [benchTask(options)], concurrency: options.concurrency, signals: false });
    worker.start();
    await worker.connected();
    return { close: () => worker.close({ timeout: "5s" }) };
  },
};
