/** The same with many tasks due tomorrow in the store, which must cost nothing. */
import { atRandomInstants } from "./lateness.ts";
import { drain } from "./throughput.ts";
import { now } from "./waiting.ts";
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
