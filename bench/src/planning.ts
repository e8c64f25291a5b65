/** What it takes to plan many schedules, without anybody who runs their tasks, and to edit all of them. */
import { now, sleep, until } from "./waiting.ts";
import type { Stage, Workload } from "./workload.ts";

const MINUTE_MS = 60_000;

/** What is planned in one go; all schedules are taken every other minute, at the same time. */
const MINUTES = 2;

/** The processor time of whole minutes: their fires, the rows of these in the ledger and their tasks. */
export const planning: Workload = {
  id: "W13 planning",
  title: "100,000 schedules that fire each minute, planned by one node",
  unit: "% of a core, planner and store",
  better: "lower",
  extra: true,
  once: true,
  only: ["carillon"],
  async run(stage) {
    const count = stage.sized(100_000, 100);
    const producer = await stage.actor("producer");
    const planner = await stage.actor("planner");
    await producer.call("openProducer");
    await producer.call("schedules", { count, seconds: 60 });
    await planner.call("openPlanner");
    let minute = Math.ceil(now() / MINUTE_MS + 1) * MINUTE_MS;
    await until(async () => (await planned(stage, minute)) === count, 4 * MINUTE_MS, 500);
    minute = Math.ceil(now() / MINUTE_MS) * MINUTE_MS;
    await sleep(minute - now());
    stage.begin();
    await sleep(MINUTES * MINUTE_MS);
    const cpu = stage.cpu();
    // What fires now was planned before, all of it.
    const fires = await planned(stage, minute + MINUTES * MINUTE_MS);
    if (fires !== count) throw new Error(`${fires} of ${count} fires were planned in time`);
    const percent = (seconds: number) => (seconds / (MINUTES * 60)) * 100;
    return { percent: percent(cpu.planner! + cpu.store!), planner: percent(cpu.planner!), store: percent(cpu.store!) };
  },
};

/** One request for each, twenty at once, while the next minute of all of them is planned and withdrawn again. */
export const editing: Workload = {
  id: "W13 editing",
  title: "100,000 schedules edited in bulk",
  unit: "schedules/s",
  better: "higher",
  extra: true,
  once: true,
  only: ["carillon"],
  async run(stage) {
    const count = stage.sized(100_000, 100);
    const producer = await stage.actor("producer");
    const planner = await stage.actor("planner");
    await producer.call("openProducer");
    const creating = await producer.call<number>("schedules", { count, seconds: 60 });
    await planner.call("openPlanner");
    stage.begin();
    const seconds = await producer.call<number>("schedules", { count, seconds: 60, edition: 1 });
    return { edited: count / seconds, created: count / creating };
  },
};

async function planned(stage: Stage, at: number): Promise<number> {
  const [row] = await stage.backing.query(
    `select count(*)::int as fires from carillon.fire where fire_at = to_timestamp(${at / 1_000}) and outcome = 'task'`,
  );
  return row?.fires as number;
}
