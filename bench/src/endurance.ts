/** What shows only after a while: dead rows that cannot be removed, memory that grows, tables that bloat. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Actor, Measured } from "./actors.ts";
import { rssMegabytes } from "./processes.ts";
import { latenessFigures } from "./statistics.ts";
import { now } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

/** Ten minutes at 1,000 a second while somebody's open transaction keeps every dead row. */
export const pinned: Workload = {
  id: "W11",
  title: "1,000 a second for ten minutes, xmin pinned by an open transaction",
  unit: "ms late in the last minute, p99",
  better: "lower",
  extra: true,
  once: true,
  only: ["carillon", "graphile-worker", "pg-boss"],
  async run(stage) {
    await stage.backing.query("begin isolation level repeatable read");
    await stage.backing.query("select txid_current()");
    const minutes = await endure(stage, { perSecond: 1_000, minutes: stage.sized(10) });
    await stage.backing.query("rollback");
    return { ...lastOf(minutes), first: minutes[0]!.p99 };
  },
};

export const soak: Workload = {
  id: "W12",
  title: "2,000 a second for an hour",
  unit: "ms late in the worst minute, p99",
  better: "lower",
  extra: true,
  once: true,
  only: ["carillon"],
  async run(stage) {
    const minutes = await endure(stage, { perSecond: 2_000, minutes: stage.sized(60) });
    const worst = Math.max(...minutes.map(({ p99 }) => p99));
    const sizes = await stage.backing.query(
      `select sum(pg_table_size(oid))::float8 / 1e6 as tables, sum(pg_indexes_size(oid))::float8 / 1e6 as indexes
         from pg_class where oid = 'carillon.task'::regclass`,
    );
    const { tables, indexes } = sizes[0] as { tables: number; indexes: number };
    return { worst, ...lastOf(minutes), firstMb: minutes[0]!.rssMb, taskTableMb: tables, taskIndexesMb: indexes };
  },
};

interface Minute {
  p99: number;
  max: number;
  rssMb: number;
}

const lastOf = (minutes: Minute[]) => ({ ...minutes.at(-1)! });

async function endure(stage: Stage, { perSecond, minutes }: { perSecond: number; minutes: number }): Promise<Minute[]> {
  const producer = await stage.actor("producer");
  const [worker] = (await stage.workers()) as [Actor];
  await producer.call("openProducer");
  await worker.call("work", { concurrency: 1_000, tuned: "lateness" });
  const minuteMs = stage.sized(60_000, 2_000);
  const count = Math.round((perSecond * minuteMs) / 1_000);
  const found: Minute[] = [];
  let from = now() + 3_000;
  const feed = () => producer.call("enqueueAt", { count, from, spanMs: minuteMs });
  await feed();
  stage.begin();
  for (let minute = 0; minute < minutes; minute++) {
    await sleep(Math.max(0, from - now()));
    from += minuteMs;
    // The next minute is made while this one runs, as in life.
    const feeding = minute + 1 < minutes ? feed() : Promise.resolve();
    await sleep(Math.max(0, from - now()));
    await feeding;
    const { lateness } = await worker.call<Measured>("measured");
    const { p99, max } = latenessFigures(lateness) as { p99: number; max: number };
    found.push({ p99, max, rssMb: rssMegabytes(worker.pid) });
    console.error(`minute ${minute + 1}: ${JSON.stringify(found.at(-1))}`);
  }
  return found;
}
