import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type Owner, takeOwnership } from "./owner.ts";
import { inspectProcess, processSpace } from "./process.ts";
import { builtModule, temporaryFolder } from "./test/supervise.ts";

const socketDir = "/tmp/carillon-aaaaaa";

async function own(dataDir: string, options?: { watchMs: number }) {
  const ownership = await takeOwnership(dataDir, socketDir, options);
  onTestFinished(() => ownership.release());
  return ownership;
}

/** A lock file as a process of this machine leaves it. */
function leaveLock(dataDir: string, owner: Partial<Owner>): void {
  const startedAt = "2030-01-02T03:04:05.678Z";
  const whole = { pid: 1, startedAt, identity: "ticks 1", host: hostname(), ...processSpace(), socketDir, ...owner };
  writeFileSync(join(dataDir, "carillon.lock"), `${JSON.stringify(whole)}\n`);
}

/** A pid that belonged to a process which is gone. */
async function deadPid(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  return child.pid!;
}

test("a folder has one owner at a time, and the second is told who it is", async () => {
  const dataDir = temporaryFolder();
  const first = await own(dataDir);
  expect(first.previous).toBeNull();
  const startedAt = new Date(performance.timeOrigin).toISOString();
  await expect(own(dataDir)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining(`is in use by process ${process.pid}, started at ${startedAt}.`),
  });
  first.release();
  expect(readdirSync(dataDir)).toEqual([]);
  await own(dataDir);
});

test("the lock of a process that is gone is taken over, and what it left is known", async () => {
  const dataDir = temporaryFolder();
  leaveLock(dataDir, { pid: await deadPid(), socketDir: "/tmp/carillon-before" });
  const ownership = await own(dataDir);
  expect(ownership.previous?.socketDir).toBe("/tmp/carillon-before");
  expect(readdirSync(dataDir)).toEqual(["carillon.lock"]);
});

test("a living process that only has the owner's pid is not taken for it", async () => {
  const dataDir = temporaryFolder();
  leaveLock(dataDir, { pid: process.ppid, identity: "ticks 1" });
  await own(dataDir);
  leaveLock(dataDir, { pid: process.ppid, identity: inspectProcess(process.ppid)!.identity });
  await expect(own(dataDir)).rejects.toThrow(`in use by process ${process.ppid}, started at 2030-01-02T03:04:05.678Z`);
});

test("a lock from before the machine was restarted does not count, whoever has the pid now", async () => {
  const dataDir = temporaryFolder();
  leaveLock(dataDir, { pid: process.ppid, identity: inspectProcess(process.ppid)!.identity, boot: "an earlier boot" });
  await own(dataDir);
});

test("a lock file that a power cut emptied, or that is none, does not count", async () => {
  const whole = {
    pid: process.ppid,
    startedAt: "x",
    identity: "hidden",
    host: hostname(),
    ...processSpace(),
    socketDir,
  };
  for (const [name, value] of Object.entries({ socketDir: undefined, host: 5, boot: {}, pid: "1", identity: null })) {
    const dataDir = temporaryFolder();
    writeFileSync(join(dataDir, "carillon.lock"), JSON.stringify({ ...whole, [name]: value }));
    expect((await own(dataDir)).previous).toBeNull();
  }
  for (const text of ["", "null", "5", "[]", "{"]) {
    const dataDir = temporaryFolder();
    writeFileSync(join(dataDir, "carillon.lock"), text);
    expect((await own(dataDir)).previous).toBeNull();
  }
});

test("an owner on another machine keeps the folder while it refreshes the lock, and loses it when it stops", async () => {
  const dataDir = temporaryFolder();
  const path = join(dataDir, "carillon.lock");
  leaveLock(dataDir, { host: "elsewhere", boot: "another" });
  let refreshes = 0;
  const owner = setInterval(() => utimesSync(path, 1, ++refreshes), 50);
  onTestFinished(() => clearInterval(owner));
  await expect(own(dataDir, { watchMs: 10_000 })).rejects.toThrow(/in use by process 1 on elsewhere, started at/);
  clearInterval(owner);
  expect((await own(dataDir, { watchMs: 300 })).previous?.host).toBe("elsewhere");
});

test("an owner sees that another machine took the folder, and leaves the new lock alone", async () => {
  const dataDir = temporaryFolder();
  const ownership = await own(dataDir);
  expect(ownership.stillOurs()).toBe(true);
  leaveLock(dataDir, { host: "elsewhere" });
  expect(ownership.stillOurs()).toBe(false);
  ownership.release();
  expect(readFileSync(join(dataDir, "carillon.lock"), "utf8")).toContain("elsewhere");
});

test("a take-over whose process died in the middle does not block the next", async () => {
  const dataDir = temporaryFolder();
  const pid = await deadPid();
  leaveLock(dataDir, { pid });
  writeFileSync(join(dataDir, "carillon.lock.takeover"), readFileSync(join(dataDir, "carillon.lock")));
  await own(dataDir);
  expect(readdirSync(dataDir)).toEqual(["carillon.lock"]);
});

test("of many processes that find a stale lock at once, exactly one gets the folder", async () => {
  const program = `
    const { takeOwnership } = await import(process.argv[1]);
    process.stdin.once("data", async () => {
      const owned = await takeOwnership(process.argv[2], "/tmp/carillon-" + process.pid).then(() => "owned", (e) => e.code);
      console.log(owned);
      process.stdin.once("data", () => process.exit(0));
    });
    console.log("here");
  `;
  for (let round = 0; round < 5; round += 1) {
    const dataDir = temporaryFolder();
    leaveLock(dataDir, { pid: await deadPid() });
    const rivals = Array.from({ length: 6 }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", program, builtModule("owner.js"), dataDir], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    const said = (rival: (typeof rivals)[number]) => once(rival.stdout, "data").then(([line]) => String(line).trim());
    await Promise.all(rivals.map(said));
    const answers = rivals.map(said);
    for (const rival of rivals) rival.stdin.write("go\n");
    expect((await Promise.all(answers)).sort()).toEqual(["owned", ...Array(5).fill("unavailable")]);
    for (const rival of rivals) rival.stdin.write("end\n");
    await Promise.all(rivals.map((rival) => text(rival.stdout)));
  }
});
