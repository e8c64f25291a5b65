/** After `kill -9`: how long until the tasks of a dead process run again. */
import type { Actor, Measured } from "./actors.ts";
import type { ContenderName } from "./contenders/index.ts";
import { now, sleep, until } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

const TASKS = 10;
/** Who has not brought them back by then has no figure. */
const PATIENCE_MS = 65_000;

/** With the settings that each has when nobody chose any. */
const killed = (id: string, what: string, only: readonly ContenderName[]): Workload => ({
  id,
  title: `${what} ${TASKS} tasks is killed`,
  unit: `ms until the last of them runs again (–: not within ${PATIENCE_MS / 1_000} s)`,
  better: "lower",
  only,
  run: runAgain,
});

export const workerKilled = killed("W8 worker", "A worker process that runs", ["carillon-grpc"]);
export const nodeKilled = killed("W8 node", "A node whose own worker runs", ["carillon"]);
export const peersWorkerKilled = {
  ...killed("W8 peers", "A worker process that runs", ["graphile-worker", "pg-boss", "bullmq"]),
  once: true,
};

/** The victim is the only worker at first; the other one comes when it holds all tasks. */
async function runAgain(stage: Stage): Promise<Record<string, number>> {
  const producer = await stage.actor("producer");
  const [victim, other] = (await stage.workers(2)) as [Actor, Actor];
  await producer.call("openProducer");
  await victim.call("work", { concurrency: 100, tuned: "lateness", holdMs: 600_000 });
  await producer.call("enqueue", { count: TASKS, perCall: TASKS, callers: 1 });
  await until(() => victim.started === TASKS);
  await other.call("work", { concurrency: 100, tuned: "lateness" });
  // Long enough for everybody to know everybody, and for the tasks to be known as running.
  await sleep(3_000);
  const killedAt = now();
  await victim.kill("SIGKILL");
  const ranAgain = await until(() => other.started >= TASKS, PATIENCE_MS).then(
    () => true,
    () => false,
  );
  if (!ranAgain) return { last: Number.POSITIVE_INFINITY };
  const { lastAt } = await other.call<Measured>("measured");
  return { last: lastAt - killedAt };
}
