/**
 * Real nodes and workers on a real PostgreSQL, with real faults. Short here; the figures that the documentation quotes come from the long
 * form: `CARILLON_TEST_CLUSTER=full npx vitest run packages/server/test/cluster/cluster.test.ts`.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { check, delays, percentiles } from "./check.ts";
import { Cluster } from "./scenario.ts";

const full = process.env.CARILLON_TEST_CLUSTER === "full";
const load = full ? { tasks: 5_000, schedules: 200, seconds: 60 } : { tasks: 400, schedules: 20, seconds: 6 };
const limit = { timeout: full ? 400_000 : 120_000 };
/** Kills in one run, and how far apart they are on average. */
const faults = full ? { count: 20, everyMs: 3_000 } : { count: 3, everyMs: 2_000 };

async function withCluster(
  options: { holdMs?: number; throughProxy?: boolean; workflows?: number; fans?: number },
  work: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const seed = Number(process.env.CARILLON_TEST_SEED ?? Date.now() % 1_000_000);
  const cluster = await Cluster.start({ nodes: 2, workers: 2, ...load, ...options, seed });
  try {
    await work(cluster);
  } catch (error) {
    for (const { stderr } of [...cluster.nodes, ...cluster.workers]) console.error(stderr.join("\n"));
    throw new Error(`with seed ${seed}`, { cause: error });
  } finally {
    await cluster.stop();
  }
}

function report(name: string, figures: object): void {
  console.log(`${name}: ${JSON.stringify(figures)}`);
}

test("two nodes and two workers run every task and every fire once, on time", limit, async () => {
  await withCluster({}, async (cluster) => {
    const lastAt = await cluster.load();
    await cluster.untilFinished(lastAt - Date.now() + 20_000);
    const history = await cluster.history();
    const { first } = delays(history);
    report("undisturbed, start minus instant (ms)", percentiles(first));
    expect(check(history, { undisturbed: true })).toEqual([]);
    // Never early, by the database's clock, which nodes know to about half a round trip of a busy machine; the journals have the workers'
    // own. How late is a figure of this machine, which the benchmark watches.
    expect(Math.min(...first)).toBeGreaterThan(-10);
  });
});

test(
  "nodes and workers that are killed lose nothing, record nothing twice, and start nothing before its parents ended",
  limit,
  async () => {
    const workflows = full ? 200 : 20;
    await withCluster({ holdMs: 500, workflows, fans: workflows }, async (cluster) => {
      const lastAt = await cluster.load();
      await cluster.killAdder();
      for (let kill = 0; kill < faults.count; kill++) {
        await pause(faults.everyMs * (0.5 + cluster.random()));
        const index = Math.floor(cluster.random() * 2);
        if (cluster.random() < 0.5) await cluster.restartNode(index);
        else await cluster.restartWorker(index);
      }
      await cluster.untilFinished(lastAt - Date.now() + 60_000);
      const history = await cluster.history();
      const { first, recorded } = delays(history);
      report(`${faults.count} kills, first start minus instant (ms)`, percentiles(first));
      report(`${faults.count} kills, recorded start minus instant (ms)`, percentiles(recorded));
      expect(check(history, { undisturbed: false })).toEqual([]);
      expect(Math.max(...first)).toBeLessThanOrEqual(8_000);
    });
  },
);

test("a database that is away for a while aborts no running task and loses nothing", limit, async () => {
  await withCluster({ holdMs: full ? 1_000 : 6_000, throughProxy: true }, async (cluster) => {
    const lastAt = await cluster.load();
    await pause(Math.max(0, lastAt - Date.now() - load.seconds * 500));
    await cluster.interruptDatabase({ signal: "stop", awayMs: full ? 20_000 : 5_000 });
    await cluster.untilFinished(lastAt - Date.now() + 120_000);
    const history = await cluster.history();
    report("database stopped, recorded start minus instant (ms)", percentiles(delays(history).recorded));
    expect(check(history, { undisturbed: true })).toEqual([]);
    expect(history.journal.filter(({ event }) => event === "aborted")).toEqual([]);
  });
});

test("a database that is killed and started again loses nothing that was acknowledged", limit, async () => {
  await withCluster({ holdMs: 3_000, throughProxy: true }, async (cluster) => {
    const lastAt = await cluster.load();
    await pause(Math.max(0, lastAt - Date.now() - load.seconds * 500));
    await cluster.interruptDatabase({ signal: "SIGKILL", awayMs: 0 });
    await cluster.untilFinished(lastAt - Date.now() + 120_000);
    const history = await cluster.history();
    report("database killed, recorded start minus instant (ms)", percentiles(delays(history).recorded));
    expect(check(history, { undisturbed: true })).toEqual([]);
    expect(history.journal.filter(({ event }) => event === "aborted")).toEqual([]);
  });
});
