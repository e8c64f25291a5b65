/** How much per second: enqueue, drain, both at once. */
import type { Measured } from "./actors.ts";
import { type ContenderName, contenders } from "./contenders/index.ts";
import { sleep, until } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

/** How many tasks a worker may hold at once when throughput counts. */
export const CONCURRENCY = 2_000;
const PER_CALL = 1_000;

/** Everybody with a queue. */
const queues = Object.keys(contenders).filter((name) => name !== "timers") as ContenderName[];

const work = { concurrency: CONCURRENCY, tuned: "throughput" } as const;

export const enqueueBulk: Workload = {
  id: "W1 bulk",
  title: "Enqueue, 1,000 per call",
  unit: "tasks/s",
  better: "higher",
  only: queues,
  async run(stage) {
    const count = stage.sized(200_000, 2_000);
    return enqueue(stage, { count, perCall: PER_CALL, callers: 4 });
  },
};

export const enqueueSingle: Workload = {
  id: "W1 single",
  title: "Enqueue, one per call, 64 callers",
  unit: "tasks/s",
  better: "higher",
  only: queues,
  async run(stage) {
    return enqueue(stage, { count: stage.sized(50_000, 500), perCall: 0, callers: 64 });
  },
};

async function enqueue(stage: Stage, { count, perCall, callers }: { count: number; perCall: number; callers: number }) {
  const producer = await stage.actor("producer");
  // Warm: connections, prepared statements, compiled code.
  await producer.call("enqueue", { count: Math.ceil(count / 10), perCall, callers });
  stage.begin();
  const seconds = await producer.call<number>("enqueue", { count, perCall, callers });
  return { rate: count / seconds };
}

export const drainOne: Workload = {
  id: "W2 one",
  title: "Drain 50,000 no-ops, one worker process",
  unit: "tasks/s",
  better: "higher",
  only: queues,
  run: (stage) => drain(stage, 1),
};

export const drainTwo: Workload = {
  id: "W2 two",
  title: "Drain 50,000 no-ops, two worker processes",
  unit: "tasks/s",
  better: "higher",
  only: queues,
  run: (stage) => drain(stage, 2),
};

/** From the first start to the last. Workers are warm from an earlier drain, and stand still while the backlog is made. */
export async function drain(stage: Stage, workers: number): Promise<Record<string, number>> {
  const count = stage.sized(50_000, 1_000);
  const producer = await stage.actor("producer");
  const all = await stage.workers(workers);
  const started = () => all.reduce((sum, { started }) => sum + started, 0);
  await producer.call("enqueue", { count, perCall: PER_CALL, callers: 2 });
  await Promise.all(all.map((worker) => worker.call("work", work)));
  await until(() => started() >= count);
  for (const worker of all) await worker.call("measured");

  stage.signal("SIGSTOP");
  await producer.call("enqueue", { count, perCall: PER_CALL, callers: 2 });
  stage.begin();
  stage.signal("SIGCONT");
  await until(() => started() >= count);
  const measured = await Promise.all(all.map((worker) => worker.call<Measured>("measured")));
  const first = Math.min(...measured.filter(({ started }) => started > 0).map(({ firstAt }) => firstAt));
  const last = Math.max(...measured.map(({ lastAt }) => lastAt));
  return { rate: (count / (last - first)) * 1_000 };
}

/** At full scale five minutes, of which the last one counts. */
export const sustained: Workload = {
  id: "W3",
  title: "Sustained: submit, execute, archive",
  unit: "tasks/s",
  better: "higher",
  only: queues,
  async run(stage) {
    const [totalMs, countedMs] = [stage.sized(300_000, 3_000), stage.sized(60_000, 1_500)];
    const [producer, [worker]] = [await stage.actor("producer"), await stage.workers()];
    await producer.call("openProducer");
    await worker!.call("work", work);
    const producing = producer.call<number>("sustain", { perCall: PER_CALL });
    const telling = setInterval(() => producer.tell({ kind: "done", done: worker!.started }), 5);
    await sleep(totalMs - countedMs);
    stage.begin();
    const [from, at] = [worker!.started, performance.now()];
    await sleep(countedMs);
    const rate = ((worker!.started - from) / (performance.now() - at)) * 1_000;
    const cpu = stage.cpu();
    producer.tell({ kind: "stop" });
    await producing;
    clearInterval(telling);
    return { rate, cores: Object.values(cpu).reduce((sum, seconds) => sum + seconds, 0) / (countedMs / 1_000) };
  },
};
