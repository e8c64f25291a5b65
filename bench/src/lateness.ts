/** How late: from the instant at which a task is due to the moment at which its handler runs. */
import type { Actor, Measured } from "./actors.ts";
import { latenessFigures } from "./statistics.ts";
import { now, sleep, until } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

const lateness = { concurrency: 1_000, tuned: "lateness" } as const;
/** For thousands at once everybody is quicker with the settings for throughput. */
const throughput = { concurrency: 1_000, tuned: "throughput" } as const;
/** As many as start at once, so that none waits for another's slot. */
const everySecondAtOnce = { concurrency: 2_000, tuned: "lateness" } as const;

export const latenessAt = (perSecond: number): Workload => ({
  id: `W4 ${perSecond}/s`,
  title: `Lateness, ${perSecond.toLocaleString("en")} tasks a second at random instants`,
  unit: "ms late, p99",
  better: "lower",
  run: (stage) => atRandomInstants(stage, perSecond),
});

export async function atRandomInstants(stage: Stage, perSecond: number): Promise<Record<string, number>> {
  const spanMs = stage.sized(15_000, 1_000);
  const count = Math.round((perSecond * spanMs) / 1_000);
  const { producer, workers } = await cast(stage);
  // A second of warm-up, which does not count.
  const warm = now() + 500 + count / 40;
  await producer.call("enqueueAt", { count: perSecond, from: warm, spanMs: 1_000 });
  const from = now() + 2_500 + count / 20;
  await producer.call("enqueueAt", { count, from, spanMs });
  await sleep(Math.max(0, from - 50 - now()));
  await until(() => started(workers) >= perSecond, 60_000);
  for (const worker of workers) await worker.call("measured");
  stage.begin();
  await until(() => started(workers) >= count, spanMs + 60_000, 20);
  return latenessFigures(await latenessOf(workers));
}

export const burst: Workload = {
  id: "W5",
  title: "20,000 due at one instant",
  unit: "ms until the last one started",
  better: "lower",
  async run(stage) {
    const count = stage.sized(20_000, 200);
    const { producer, workers } = await cast(stage, throughput);
    const warm = now() + 500 + count / 10;
    await producer.call("enqueueAt", { count, from: warm, spanMs: 0 });
    await until(() => started(workers) >= count, 60_000);
    for (const worker of workers) await worker.call("measured");
    const from = now() + 1_500 + count / 10;
    await producer.call("enqueueAt", { count, from, spanMs: 0 });
    stage.begin();
    await until(() => started(workers) >= count, 60_000);
    const { max, p50, earliest } = latenessFigures(await latenessOf(workers));
    return { last: max!, p50: p50!, earliest: earliest! };
  },
};

export const everySecond: Workload = {
  id: "W6 second",
  title: "2,000 schedules, each every second, from 3 s after they were made",
  unit: "ms late, p99",
  better: "lower",
  only: ["carillon", "bullmq", "bullmq-fsync"],
  run: (stage) => eachSecond(stage, 3_000, 30_000),
};

/** Long enough for all of them to be planned once more. */
export const everySecondLater: Workload = {
  ...everySecond,
  id: "W6 later",
  title: "2,000 schedules, each every second, two minutes from a minute after they were made",
  only: ["carillon"],
  extra: true,
  run: (stage) => eachSecond(stage, stage.sized(60_000, 3_000), 120_000),
};

async function eachSecond(stage: Stage, settleMs: number, forMs: number): Promise<Record<string, number>> {
  const count = stage.sized(2_000, 20);
  const spanMs = stage.sized(forMs, 3_000);
  const { producer, workers } = await cast(stage, everySecondAtOnce);
  await producer.call("schedules", { count, seconds: 1 });
  await sleep(settleMs);
  for (const worker of workers) await worker.call("measured");
  stage.begin();
  await sleep(spanMs);
  const found = await latenessOf(workers);
  return { ...latenessFigures(found), perSecond: found.length / (spanMs / 1_000), wanted: count };
}

const MINUTE_MS = 60_000;

/** The second minute after all of them were made. The ledger must say the same as the worker. */
export const everyMinute: Workload = {
  id: "W6 minute",
  title: "100,000 schedules, all on the minute",
  unit: "ms until the last one started",
  better: "lower",
  once: true,
  only: ["carillon"],
  async run(stage) {
    const count = stage.sized(100_000, 100);
    const { producer, workers } = await cast(stage);
    await producer.call("schedules", { count, seconds: 60 });
    const at = (Math.ceil(now() / MINUTE_MS) + 1) * MINUTE_MS;
    await sleep(at - 2_000 - now());
    for (const worker of workers) await worker.call("measured");
    stage.begin();
    await until(() => started(workers) >= count, MINUTE_MS + 30_000, 20);
    const { max, p99, p50, earliest, tasks } = latenessFigures(await latenessOf(workers));
    const [ledger] = await stage.backing.query(
      `select count(*)::int as fires, count(distinct task_id)::int as tasks from carillon.fire
        where fire_at = to_timestamp(${at / 1_000}) and outcome = 'task'`,
    );
    if (tasks !== count || ledger?.fires !== count || ledger?.tasks !== count)
      throw new Error(`${tasks} of ${count} started; the ledger has ${JSON.stringify(ledger)}`);
    return { last: max!, p99: p99!, p50: p50!, earliest: earliest!, perSecond: (count / max!) * 1_000 };
  },
};

async function cast(
  stage: Stage,
  work: { concurrency: number; tuned: "lateness" | "throughput" } = lateness,
): Promise<{ producer: Actor; workers: Actor[] }> {
  if (stage.name === "timers") {
    const only = await stage.actor("process");
    await only.call("work", work);
    return { producer: only, workers: [only] };
  }
  const producer = await stage.actor("producer");
  const workers = await stage.workers();
  await producer.call("openProducer");
  for (const worker of workers) await worker.call("work", work);
  return { producer, workers };
}

const started = (workers: Actor[]) => workers.reduce((sum, worker) => sum + worker.started, 0);

async function latenessOf(workers: Actor[]): Promise<number[]> {
  const measured = await Promise.all(workers.map((worker) => worker.call<Measured>("measured")));
  return measured.flatMap(({ lateness }) => lateness);
}
