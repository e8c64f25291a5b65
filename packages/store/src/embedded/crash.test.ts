import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { chooseAccount, giveTo, runAs } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import { clearLeftovers } from "./leftover.ts";
import { inspectProcess, signal } from "./process.ts";
import { startEmbedded } from "./start.ts";
import { ended, madeFolder, query, supervise, temporaryFolder } from "./test/supervise.ts";
import { until } from "./timers.ts";

async function start(options: Parameters<typeof startEmbedded>[0]) {
  const database = await startEmbedded(options);
  onTestFinished(() => database.stop());
  return database;
}

/** The shell that watches for the end of the supervisor of the database with this pid. */
function watchdogOf(databasePid: number): number {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/cmdline`)) continue;
    const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
    if (command.includes(`carillon-watchdog\0${databasePid}\0`)) return Number(name);
  }
  throw new Error(`no watchdog of ${databasePid}`);
}

test("a database ends soon after its supervisor was killed, and nothing is lost", async () => {
  const dataDir = await madeFolder();
  const supervisor = supervise({ dataDir });
  const first = await supervisor.database();
  await query(first, "insert into kept values (1)");
  supervisor.process.kill("SIGKILL");
  await ended(first.pid);
  expect(await until(() => !existsSync(first.connection.host), { timeoutMs: 10_000 })).toBe(true);
  expect(await query(await start({ dataDir }), "select id from kept")).toEqual([{ id: 1 }]);
});

test.runIf(existsSync("/proc"))(
  "a database whose supervisor and watchdog were killed is stopped by the next start, and nothing is lost",
  async () => {
    const dataDir = await madeFolder();
    const supervisor = supervise({ dataDir });
    const orphan = await supervisor.database();
    await query(orphan, "insert into kept values (1)");
    signal(watchdogOf(orphan.pid), "SIGKILL");
    supervisor.process.kill("SIGKILL");
    await ended(supervisor.process.pid!);
    expect(inspectProcess(orphan.pid)).not.toBeNull();

    const lines: string[] = [];
    const second = await start({ dataDir, log: (line) => lines.push(line) });
    expect(second.recovered).toBe(`stopped an orphaned database (pid ${orphan.pid})`);
    expect(lines).toEqual([second.recovered]);
    expect(inspectProcess(orphan.pid)).toBeNull();
    expect(existsSync(orphan.connection.host)).toBe(false);
    expect(await query(second, "select id from kept")).toEqual([{ id: 1 }]);
  },
);

test("a second process on the same folder is refused, and the first goes on", async () => {
  const dataDir = await madeFolder();
  const supervisor = supervise({ dataDir });
  const first = await supervisor.database();
  await expect(startEmbedded({ dataDir })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(new RegExp(`in use by process ${supervisor.process.pid}, started at 20\\d\\d-`)),
  });
  await expect(supervise({ dataDir }).database()).rejects.toMatchObject({ code: "unavailable" });
  expect(await query(first, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("Ctrl-C in the terminal reaches the supervisor, not the database", async () => {
  const supervisor = supervise({ dataDir: await madeFolder() });
  const database = await supervisor.database();
  process.kill(-supervisor.process.pid!, "SIGINT"); // What a terminal sends: to the whole process group.
  expect(await supervisor.next()).toBe("interrupted");
  expect(await query(database, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a process that exits without stopping its database takes it along", async () => {
  const dataDir = await madeFolder();
  const supervisor = supervise({ dataDir });
  const database = await supervisor.database();
  supervisor.process.kill("SIGUSR2"); // The test's supervisor calls process.exit then.
  await ended(supervisor.process.pid!);
  await ended(database.pid);
  expect(existsSync(database.connection.host)).toBe(false);
  expect((await start({ dataDir })).recovered).toBeNull();
});

test("the caller learns that the database ended by itself, and may start it again at once", async () => {
  const dataDir = await madeFolder();
  let over: (info: unknown) => void = () => {};
  const end = new Promise((resolve) => {
    over = resolve;
  });
  const first = await start({ dataDir, onExit: over });
  await query(first, "insert into kept values (1)");
  signal(first.pid, "SIGKILL");
  expect(await end).toMatchObject({
    code: null,
    signal: "SIGKILL",
    reason: expect.stringMatching(/ended by itself \(SIGKILL\)/),
  });
  const second = await start({ dataDir });
  expect(second.recovered).toBe("recovered from an unclean end");
  expect(await query(second, "select id from kept")).toEqual([{ id: 1 }]);
});

test("stop is not an end by itself", async () => {
  const ends: unknown[] = [];
  const database = await start({ dataDir: await madeFolder(), onExit: (info) => ends.push(info) });
  await Promise.all([database.stop(), database.stop()]);
  expect(inspectProcess(database.pid)).toBeNull();
  expect(ends).toEqual([]);
});

test("a first start that was killed while the database was made leaves nothing behind", async () => {
  const dataDir = temporaryFolder();
  const supervisor = supervise({ dataDir });
  await new Promise<void>((resolve) => {
    const watcher = watch(dataDir, (_, name) => {
      if (!name?.startsWith("pg18.tmp-")) return;
      watcher.close();
      resolve();
    });
  });
  supervisor.process.kill("SIGKILL");
  await ended(supervisor.process.pid!);
  expect(readdirSync(dataDir)).not.toContain("pg18");
  const database = await start({ dataDir });
  expect(database.firstStart).toBe(true);
  expect(readdirSync(dataDir).sort()).toEqual(["carillon.lock", "pg18", "postgres.log"]);
});

test("a stale pid file is no obstacle, even when its pid belongs to a living process by now", async () => {
  const dataDir = await madeFolder();
  const { startedAtSeconds } = inspectProcess(process.pid)!;
  const lines = [
    process.pid,
    join(dataDir, "pg18"),
    Math.floor(startedAtSeconds) - 100,
    5432,
    "/tmp/carillon-gone",
    "",
  ];
  writeFileSync(join(dataDir, "pg18", "postmaster.pid"), `${lines.join("\n")}\n`);
  const database = await start({ dataDir });
  const file = readFileSync(join(dataDir, "pg18", "postmaster.pid"), "utf8");
  expect(file.split("\n")[0]).toBe(String(database.pid));
});

test("a PostgreSQL that somebody else started on the folder is named and left alone", async () => {
  const dataDir = await madeFolder();
  const cluster = join(dataDir, "pg18");
  const account = chooseAccount(null);
  if (account) giveTo(account, cluster);
  const { binDir } = await findBinaries(undefined, dataDir, account);
  const socketDir = join(temporaryFolder(), "socket");
  mkdirSync(socketDir);
  if (account) giveTo(account, socketDir);
  const args = ["-D", cluster, "-c", "listen_addresses=", "-c", `unix_socket_directories=${socketDir}`];
  const other = spawn(join(binDir, "postgres"), args, { ...runAs(account), stdio: "ignore" });
  onTestFinished(async () => {
    other.kill("SIGINT");
    await ended(other.pid!);
  });
  await until(() => existsSync(join(socketDir, ".s.PGSQL.5432")), { timeoutMs: 20_000 });
  await expect(startEmbedded({ dataDir })).rejects.toThrow(
    `A PostgreSQL that Carillon did not start (process ${other.pid}) runs on ${cluster}`,
  );
  expect(inspectProcess(other.pid!)).not.toBeNull();
});

test.runIf(existsSync("/proc"))("a copy of a running database's folder leaves that database alone", async () => {
  const original = await start({ dataDir: await madeFolder() });
  const copy = join(temporaryFolder(), "pg18");
  mkdirSync(copy);
  copyFileSync(join(original.dataDir, "pg18", "postmaster.pid"), join(copy, "postmaster.pid"));
  expect(await clearLeftovers(copy, original.connection.host)).toBeNull();
  expect(readdirSync(copy)).toEqual([]);
  expect(await query(original, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("kill -9 of supervisor and database, again and again under load, loses no acknowledged row", {
  timeout: 120_000,
}, async () => {
  const dataDir = await madeFolder();
  const acknowledged: number[] = [];
  let id = 0;
  for (let round = 0; round < 5; round += 1) {
    const supervisor = supervise({ dataDir });
    const database = await supervisor.database();
    if (round > 0) expect(database.recovered).not.toBeNull();
    const before = acknowledged.length;
    const write = async () => {
      const client = new pg.Client(database.connectionString);
      client.on("error", () => {});
      await client.connect();
      try {
        for (;;) {
          const mine = ++id;
          await client.query("insert into kept values ($1)", [mine]);
          acknowledged.push(mine);
        }
      } catch {
        // Killed.
      }
    };
    const writers = [write(), write(), write(), write()];
    // In the middle of the writing, at another depth each time.
    await until(() => acknowledged.length >= before + 100 + round * 37, { timeoutMs: 30_000, everyMs: 1 });
    supervisor.process.kill("SIGKILL");
    signal(database.pid, "SIGKILL");
    await Promise.all(writers);
    await ended(database.pid);
    expect(acknowledged.length).toBeGreaterThan(before);
  }
  const rows = await query(await start({ dataDir }), "select id from kept");
  const kept = new Set(rows.map((row) => row.id));
  expect(acknowledged.filter((one) => !kept.has(one))).toEqual([]);
});
