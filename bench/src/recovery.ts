/** After `kill -9`: how long until the tasks of a dead process run again. */
import type { Actor, Measured } from "./actors.ts";
import { now, until } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

const TASKS = 10;

/** With the settings that each has when nobody chose any. */
export const workerKilled: Workload = {
  id: "W8 worker",
  title: `A worker process with ${TASKS} running tasks is killed`,
  unit: "ms until the last of them runs again",
  better: "lower",
  only: ["carillon-grpc"],
  async run(stage) {
    const { producer, workers } = await twoWorkers(stage);
    return runAgain(producer, workers, async (victim) => victim.kill("SIGKILL"));
  },
};

export const nodeKilled: Workload = {
  id: "W8 node",
  title: `A node whose own worker runs ${TASKS} tasks is killed`,
  unit: "ms until the last of them runs again",
  better: "lower",
  only: ["carillon"],
  async run(stage) {
    const { producer, workers } = await twoWorkers(stage);
    return runAgain(producer, workers, async (victim) => victim.kill("SIGKILL"));
  },
};

async function twoWorkers(stage: Stage): Promise<{ producer: Actor; workers: Actor[] }> {
  const producer = await stage.actor("producer");
  const workers = await stage.workers(2);
  await producer.call("openProducer");
  return { producer, workers };
}

/** The victim is the only worker at first; the other one comes when it holds all tasks. */
async function runAgain(
  producer: Actor,
  [victim, other]: Actor[],
  kill: (victim: Actor) => Promise<void>,
): Promise<Record<string, number>> {
  if (!victim || !other) throw new Error("two workers are needed");
  await victim.call("work", { concurrency: 100, tuned: "lateness", holdMs: 600_000 });
  await producer.call("enqueue", { count: TASKS, perCall: TASKS, callers: 1 });
  await until(() => victim.started === TASKS);
  await other.call("work", { concurrency: 100, tuned: "lateness" });
  // Long enough for everybody to know everybody, and for the tasks to be known as running.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const killedAt = now();
  await kill(victim);
  await until(() => other.started >= TASKS, 120_000);
  const { lastAt } = await other.call<Measured>("measured");
  return { last: lastAt - killedAt };
}
