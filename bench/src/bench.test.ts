/** So that the benchmark cannot rot: a tiny run of it, as `npm run bench` does it. What the figures are is no matter of a test. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Report } from "./report.ts";

const MAIN = join(import.meta.dirname, "../dist/main.js");

test("a tiny run measures every kind of process and says on what", { timeout: 240_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "carillon-bench-"));
  try {
    const json = join(folder, "report.json");
    const args = ["--scale", "0.005", "--rounds", "1", "--contenders", "carillon,carillon-grpc,raw-sql,timers"];
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...[MAIN, ...args, "--only", "W2 one,W4 500/s", "--json", json],
    ]);
    const { results, versions, machine } = JSON.parse(await readFile(json, "utf8")) as Report;
    expect(results.map(({ workload, contender }) => `${workload} ${contender}`)).toHaveLength(3 + 4);
    for (const { rounds, cpu, error } of results) {
      expect(error).toBeUndefined();
      expect(Object.values(rounds[0]!).every(Number.isFinite)).toBe(true);
      expect(Object.keys(cpu[0]!)).toContain("store");
      // Never early, within what two processes' clocks can tell.
      if ("earliest" in rounds[0]!) expect(rounds[0]!.earliest).toBeGreaterThan(-2);
    }
    expect(versions.postgresql).toMatch(/^18\./);
    expect(machine.cores).toBeGreaterThan(0);
    expect(stdout).toContain("| Drain 50,000 no-ops, one worker process, tasks/s | Carillon | **");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
