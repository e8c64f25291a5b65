/** `carillon dev` on its own PostgreSQL, killed as a whole (node and database) under load, again and again. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon } from "@carillon/client";
import { expect, test } from "vitest";
import { startNodeProcess } from "./processes.ts";

const rounds = process.env.CARILLON_TEST_CLUSTER === "full" ? 20 : 3;

test("every task acknowledged before the node and its database were killed is there afterwards", {
  timeout: rounds * 20_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "carillon-embedded-"));
  const dataDir = join(folder, "data");
  const acknowledged: string[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const node = await startNodeProcess({ command: "dev", dataDir });
      const client = new Carillon({ url: node.url });
      const database = Number((await readFile(join(dataDir, "pg18", "postmaster.pid"), "utf8")).split("\n")[0]);
      let killed = false;
      // Callers go on while both are killed: what counts is what was answered.
      const callers = Array.from({ length: 8 }, async () => {
        while (!killed) {
          const answer = await client.tasks
            .createMany(
              "noop",
              Array.from({ length: 5 }, () => ({ delay: "1h" })),
            )
            .catch(() => null);
          if (!answer) return;
          acknowledged.push(...answer.map(({ id }) => id));
        }
      });
      await until(() => acknowledged.length > (round + 1) * 200);
      process.kill(database, "SIGKILL");
      await node.kill("SIGKILL");
      killed = true;
      await Promise.all(callers);
    }
    const node = await startNodeProcess({ command: "dev", dataDir });
    const client = new Carillon({ url: node.url });
    const found = new Set<string>();
    let pageToken: string | null = null;
    do {
      const page = await client.tasks.list({ pageSize: 200, ...(pageToken === null ? {} : { pageToken }) });
      for (const { id } of page.items) found.add(id);
      pageToken = page.nextPageToken;
    } while (pageToken !== null);
    console.log(`${rounds} kills of node and database: ${acknowledged.length} acknowledged, ${found.size} found`);
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
    await node.kill("SIGTERM");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** Polls something that other callbacks of this process change. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
