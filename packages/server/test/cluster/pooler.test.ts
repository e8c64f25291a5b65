/** Nodes that know nothing but the address of a PgBouncer in transaction mode: no hints, and no session to leave anything in. */
import { rmSync } from "node:fs";
import { type AnyTask, task } from "@carillon/client";
import { startEmbedded } from "@carillon/store";
import { describe, expect, test } from "vitest";
import { makeRunFolder } from "../../../store/src/embedded/test-database.ts";
import { hasPooler, startTestPooler } from "../../../store/src/embedded/test-pooler.ts";
import { type CarillonNode, startNode } from "../../src/node.ts";
import { check } from "./check.ts";
import { Cluster } from "./scenario.ts";

async function setup() {
  const dataDir = makeRunFolder();
  const database = await startEmbedded({ dataDir });
  const pooler = await startTestPooler(database.connectionString);
  const nodes: CarillonNode[] = [];
  const lines: string[] = [];
  return {
    lines,
    async start(tasks: AnyTask[] = []): Promise<CarillonNode> {
      const logStream = { write: (line: string) => void lines.push(line) };
      const node = await startNode({ databaseUrl: pooler.connectionString, tasks, listen: false, logStream });
      nodes.push(node);
      return node;
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node.close({ timeout: "1s" });
      await pooler.stop();
      await database.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

describe.skipIf(!hasPooler())("behind a pooler", () => {
  test("what one node takes in runs on another: tasks, retries, schedules, cancelled ones, and the rest after a restart", {
    timeout: 120_000,
  }, async () => {
    await using t = await setup();
    let failures = 1;
    const flaky = task("flaky", {
      retry: { maxAttempts: 3, backoff: { kind: "fixed", initial: "10ms" } },
      run: () => {
        if (failures-- > 0) throw new Error("not yet");
        return "done";
      },
    });
    const endless = task("endless", {
      run: (_payload, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const tick = task("tick", { run: () => "ticked" });
    const front = await t.start();
    const back = await t.start([flaky, endless, tick]);
    const { client } = front;

    const retried = await client.tasks.create("flaky", {});
    expect(await client.tasks.wait(retried.id)).toMatchObject({ state: "succeeded", attempt: 2 });

    const stuck = await client.tasks.create("endless", {});
    await untilState(stuck.id, "running");
    await client.tasks.cancel(stuck.id);
    expect(await client.tasks.wait(stuck.id)).toMatchObject({ state: "cancelled" });

    await client.schedules.put("every-second", { every: "1s", task: { type: "tick" } });
    await untilCount({ schedule: "every-second", state: "succeeded" }, 2);
    await client.schedules.delete("every-second");

    await back.close({ timeout: "5s" });
    const waiting = await client.tasks.createMany(
      "tick",
      Array.from({ length: 50 }, () => ({ payload: {} })),
    );
    await t.start([tick]);
    for (const { id } of waiting) expect(await client.tasks.wait(id)).toMatchObject({ state: "succeeded" });
    expect(t.lines.map((line) => JSON.parse(line).msg)).toEqual(
      Array(3).fill(expect.stringContaining("behind a pooler")),
    );

    async function untilState(id: string, state: string): Promise<void> {
      while ((await client.tasks.get(id)).state !== state);
    }
    async function untilCount(query: Parameters<typeof client.tasks.list>[0], count: number): Promise<void> {
      while ((await client.tasks.list(query)).items.length < count);
    }
  });

  test("nodes and workers that are killed lose nothing and record nothing twice", { timeout: 120_000 }, async () => {
    const cluster = await Cluster.start({
      ...{ nodes: 2, workers: 2, tasks: 200, schedules: 5, seconds: 4, holdMs: 300 },
      pooled: true,
      seed: 1,
    });
    try {
      const lastAt = await cluster.load();
      await cluster.restartNode(0);
      await cluster.restartWorker(1);
      await cluster.restartNode(1);
      await cluster.untilFinished(lastAt - Date.now() + 60_000);
      expect(check(await cluster.history(), { undisturbed: false })).toEqual([]);
    } finally {
      await cluster.stop();
    }
  });
});
