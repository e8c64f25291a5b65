/** The same with many tasks due tomorrow in the store, which must cost nothing. */
import { atRandomInstants } from "./lateness.ts";
import { residentMegabytes } from "./processes.ts";
import { drain } from "./throughput.ts";
import { now, sleep } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

const DAY_MS = 86_400_000;

async function fill(stage: Stage, full: number): Promise<void> {
  const producer = await stage.actor("producer");
  await producer.call("enqueueAt", { count: stage.sized(full, 1_000), from: now() + DAY_MS, spanMs: DAY_MS });
  await producer.close();
}

type Measure = Pick<Workload, "title" | "unit" | "better" | "run">;

const behind = (millions: number, name: string, { title, unit, better, run }: Measure): Workload => ({
  id: `W7 ${name} ${millions}M`,
  title: `${title} with ${millions},000,000 due tomorrow`,
  unit,
  better,
  extra: millions > 1,
  once: millions > 1,
  only: ["carillon", "raw-sql", "graphile-worker", "pg-boss", "bullmq"],
  async run(stage) {
    await fill(stage, millions * 1_000_000);
    return run(stage);
  },
});

export const drainBehind = (millions: number): Workload =>
  behind(millions, "drain", {
    title: "Drain 50,000",
    unit: "tasks/s",
    better: "higher",
    run: (stage) => drain(stage, 1),
  });

export const latenessBehind = (millions: number): Workload =>
  behind(millions, "lateness", {
    title: "Lateness at 2,000/s",
    unit: "ms late, p99",
    better: "lower",
    run: (stage) => atRandomInstants(stage, 2_000),
  });

/** A node with a worker that has nothing to do, at what `npm run bench` gives every process. */
export const idleBehind = (millions: number): Workload => ({
  id: `W7 idle ${millions}M`,
  title: `An idle node with ${millions},000,000 due tomorrow`,
  unit: "% of a core",
  better: "lower",
  extra: true,
  once: true,
  only: ["carillon"],
  async run(stage) {
    await fill(stage, millions * 1_000_000);
    const [node] = await stage.workers();
    await node!.call("work", { concurrency: 10, tuned: "lateness", idle: true });
    // What starting took is over, and the store has had time to write down and tidy up what came in.
    await sleep(stage.sized(60_000, 1_000));
    stage.begin();
    const seconds = stage.sized(120, 1);
    await sleep(seconds * 1_000);
    const { "worker 1": used, store } = stage.cpu();
    return {
      percent: (100 * used!) / seconds,
      storePercent: (100 * store!) / seconds,
      residentMb: residentMegabytes(node!.pid),
    };
  },
});
