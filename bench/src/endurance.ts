/** What shows only after a while: dead rows that cannot be removed, memory that grows, tables that bloat. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Actor, Measured } from "./actors.ts";
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
    return { worst: Math.max(...minutes.map(({ p99 }) => p99)), ...lastOf(minutes) };
  },
};

interface Minute {
  p99: number;
  max: number;
  /** Megabytes, of every process, of the live tasks and of the archive with their indexes. */
  [held: string]: number;
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
    found.push({ p99, max, ...suffixed(stage.memory()), ...(await tableSizes(stage)) });
    console.error(`minute ${minute + 1}: ${JSON.stringify(found.at(-1))}`);
  }
  return found;
}

const suffixed = (memory: Record<string, number>) =>
  Object.fromEntries(Object.entries(memory).map(([role, used]) => [`${role.replaceAll(" ", "")}Mb`, used]));

/** Of Carillon; the peers lay theirs out otherwise. */
async function tableSizes(stage: Stage): Promise<Record<string, number>> {
  if (stage.name !== "carillon") return {};
  const [sizes] = await stage.backing.query(
    `with held as (
       select case when c.relname = 'task' then 'task' when c.relname like 'archive%' then 'archive' end as name,
              round(pg_table_size(c.oid) / 1e6)::int as tables, round(pg_indexes_size(c.oid) / 1e6)::int as indexes
         from pg_class c where c.relnamespace = 'carillon'::regnamespace and c.relkind = 'r')
     select sum(tables) filter (where name = 'task') as "taskTableMb",
            sum(indexes) filter (where name = 'task') as "taskIndexesMb",
            sum(tables) filter (where name = 'archive') as "archiveTableMb",
            sum(indexes) filter (where name = 'archive') as "archiveIndexesMb" from held`,
  );
  return Object.fromEntries(Object.entries(sizes!).map(([name, megabytes]) => [name, Number(megabytes)]));
}
