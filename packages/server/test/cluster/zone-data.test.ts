/** Nodes with other time zone data, as real processes: a rolling upgrade of the runtime, and its way back. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon } from "@carillon/client";
import { expect, test } from "vitest";
import { createTestDatabase } from "../../../store/src/embedded/test-database.ts";
import { OTHER_VERSION, otherZoneData, SHIFT_HOURS, SHIFTED_ZONE } from "./other-zone-data.ts";
import { type RunningNode, startNodeProcess } from "./processes.ts";

const OWN_VERSION = process.versions.tz!;

test("newer time zone data plans schedules anew, once, while nodes with older data run beside it", {
  timeout: 120_000,
}, async ({ skip }) => {
  const folder = await mkdtemp(join(tmpdir(), "carillon-zones-"));
  const environment = await otherZoneData(folder);
  const database = await createTestDatabase({});
  const nodes: RunningNode[] = [];
  const start = async (given: NodeJS.ProcessEnv = {}) => {
    const node = await startNodeProcess({ databaseUrl: database!.connectionString, environment: given });
    nodes.push(node);
    return { node, client: new Carillon({ url: node.url }) };
  };
  try {
    if (!environment || !database) return skip("This Node.js has its time zone data somewhere else.");
    const old = await start();
    const hours = hoursFrom(Date.now());
    const task = { type: "noop" };
    const every5s = (hours: string) => `*/5 * ${hours} * * *`;
    await old.client.schedules.put("leaves", { cron: every5s(hours), timeZone: SHIFTED_ZONE, task });
    await old.client.schedules.put("enters", { cron: every5s(shifted(hours)), timeZone: SHIFTED_ZONE, task });
    await old.client.schedules.put("elsewhere", { cron: "*/5 * * * * *", timeZone: "Europe/Paris", task });
    await old.client.schedules.put("interval", { every: "5s", timeZone: SHIFTED_ZONE, task });
    await until(async () => (await outcomes(old.client, "leaves")).task > 3);
    expect((await outcomes(old.client, "enters")).task).toBe(0);

    const newer = await start(environment);
    await until(async () => (await newer.client.stats()).zoneChanges.length === 2);
    const { zoneChanges, tzdata } = await newer.client.stats();
    expect(tzdata).toBe(OTHER_VERSION);
    const [leaves, enters] = ["leaves", "enters"].map((name) => zoneChanges.find(({ schedule }) => schedule === name));
    expect(leaves).toMatchObject({ from: OWN_VERSION, to: OTHER_VERSION, added: [] });
    expect(leaves!.removed.length).toBeGreaterThan(0);
    expect(enters).toMatchObject({ from: OWN_VERSION, to: OTHER_VERSION, removed: [] });
    expect(enters!.added.length).toBeGreaterThan(0);
    const withdrawn = await newer.client.schedules.fires("leaves", { outcome: "withdrawn" });
    expect(withdrawn.items.map(({ at }) => at)).toEqual(leaves!.removed);
    expect(new Set(withdrawn.items.map(({ reason }) => reason))).toEqual(new Set([`zone_data:${OTHER_VERSION}`]));
    await until(async () => (await outcomes(newer.client, "enters")).task > 3);
    for (const name of ["elsewhere", "interval"]) expect((await outcomes(newer.client, name)).withdrawn, name).toBe(0);
    // Both run, and the one with older data leaves the newer plan as it is.
    const seen = await old.client.stats();
    expect(seen).toMatchObject({ tzdata: OTHER_VERSION, nodes: 2 });
    expect(seen.zoneChanges).toEqual(zoneChanges);

    await newer.node.kill("SIGTERM");
    await until(async () => (await old.client.stats()).zoneChanges.length === 4);
    const [back] = (await old.client.stats()).zoneChanges;
    expect(back).toMatchObject({ from: OTHER_VERSION, to: OWN_VERSION });
    await until(async () => (await outcomes(old.client, "leaves")).task > 3);
  } finally {
    await Promise.all(nodes.map((node) => node.kill("SIGTERM")));
    await database?.drop();
    await rm(folder, { recursive: true });
  }
});

/** The hour in which it is now there, and the next, which may begin while this runs. */
function hoursFrom(now: number): string {
  const hour = (new Date(now).getUTCHours() + 9) % 24;
  return `${hour},${(hour + 1) % 24}`;
}

const shifted = (hours: string): string =>
  hours
    .split(",")
    .map((hour) => (Number(hour) + SHIFT_HOURS) % 24)
    .join(",");

/** Of the fires of the next minute. */
async function outcomes(client: Carillon, name: string): Promise<{ task: number; withdrawn: number }> {
  const now = Date.now();
  const [from, to] = [new Date(now).toISOString(), new Date(now + 60_000).toISOString()];
  const counts = { task: 0, withdrawn: 0 };
  for (const { outcome } of (await client.schedules.fires(name, { from, to, pageSize: 200 })).items)
    if (outcome === "task" || outcome === "withdrawn") counts[outcome]++;
  return counts;
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 200));
}
