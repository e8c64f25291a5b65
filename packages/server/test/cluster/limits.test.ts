/**
 * Limits and unique keys in real processes, nodes and workers of which are killed. Short here; the long form is
 * `CARILLON_TEST_CLUSTER=full npx vitest run packages/server/test/cluster/limits.test.ts`.
 */
import { setTimeout as pause } from "node:timers/promises";
import { checkLimits, type JournalLine, type QueueLimits } from "@carillon/testkit";
import { expect, test } from "vitest";
import { check } from "./check.ts";
import { Cluster } from "./scenario.ts";

const full = process.env.CARILLON_TEST_CLUSTER === "full";
const kills = full ? 10 : 3;
const count = full ? 1_200 : 120;
const uniqueKeys = full ? 300 : 40;

/** Before so long after its node's death nobody else is given a task. */
const ADOPTION_MS = 4_400;

test("nodes and workers that are killed while limits and unique keys are in use exceed none, and everything runs once", {
  timeout: full ? 400_000 : 120_000,
}, async () => {
  const limits: QueueLimits = {
    queue: "limited",
    concurrency: 6,
    concurrencyPerKey: 1,
    rateLimit: { limit: 40, perMs: 1_000, burst: 20 },
    slackMs: 1_600,
  };
  const seed = Number(process.env.CARILLON_TEST_SEED ?? Date.now() % 1_000_000);
  const cluster = await Cluster.start({ nodes: 2, workers: 2, tasks: 0, schedules: 0, seconds: 0, limits, seed });
  try {
    const keys = await cluster.loadLimited(count, { keys: 9, holdMs: 400 });
    while ((await cluster.journal()).length === 0) await pause(100);
    const killing = new AbortController();
    const unique = cluster.createUnique(uniqueKeys, killing.signal);
    for (let kill = 0; kill < kills; kill++) {
      await pause(1_500 * (0.5 + cluster.random()));
      const index = Math.floor(cluster.random() * 2);
      if (kill % 2 === 0) await cluster.restartWorker(index);
      else await cluster.restartNode(index);
    }
    killing.abort();
    const answered = await unique;
    expect([...answered].filter(([, ids]) => ids.size !== 1)).toEqual([]);
    await cluster.untilFinished(full ? 240_000 : 60_000);
    const history = await cluster.history();
    expect(check(history, { undisturbed: false })).toEqual([]);
    expect(history.archived).toHaveLength(count + uniqueKeys);
    const tokens = new Map(history.archived.map(({ id, token }) => [id, token]));
    const journal: JournalLine[] = cluster.killed.flatMap(({ node, pid, at }) =>
      node ? [] : [{ kind: "died" as const, worker: String(pid), at }],
    );
    const started: JournalLine[] = [];
    for (const { event, taskId: task, token, worker, at, dueAt } of history.journal) {
      const line = { task, token, worker: String(worker), at };
      if (event !== "start") journal.push({ kind: event === "end" ? "ended" : "left", ...line });
      else {
        started.push({ kind: "started", ...line, dueAt });
        // Of an attempt that was not the last one, its node's death decided.
        const death = cluster.killed.find((killed) => killed.node && killed.at > at);
        if (tokens.get(task) !== token && death)
          journal.push({ kind: "freed", task, token, at: death.at + ADOPTION_MS });
      }
    }
    const tasks = [...keys].map(([task, concurrencyKey]) => ({
      ...{ task, queue: limits.queue, concurrencyKey, state: "succeeded", final: true, token: tokens.get(task)! },
      ...{ schedule: null, fireAt: null },
    }));
    const findings = checkLimits({
      ...{ journal: [...started, ...journal].sort((a, b) => a.at - b.at), tasks, fires: [], expectedFires: [] },
      limits: [limits],
    });
    expect(findings).toEqual([]);
    expect(started.length).toBeGreaterThanOrEqual(count);
  } catch (error) {
    for (const { stderr } of [...cluster.nodes, ...cluster.workers]) console.error(stderr.join("\n"));
    throw new Error(`with seed ${seed}`, { cause: error });
  } finally {
    await cluster.stop();
  }
});
