import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { fixtures, main, run } from "./process.ts";

test("an expression is explained without a node: words, fires in its zone, warnings on stderr", async () => {
  const explained = await run(["cron", "explain", "30 2 * * *", "--tz", "Europe/Paris", "--count", "3"]);
  expect(explained.code).toBe(0);
  expect(explained.stdout).toMatch(/^At 02:30\n( {2}\S+\[Europe\/Paris\]\n){3}$/);
  expect(explained.stderr).toMatch(/^warning: On \d{4}-\d\d-\d\d there is no 02:30 in Europe\/Paris/);
  const changes = explained.stderr.match(/^the clock changes at \S+Z from \+0[12]:00 to \+0[12]:00$/gm);
  expect(changes).toHaveLength(2);
});

test("an expression that never fires is explained, not refused", async () => {
  const never = await run(["cron", "explain", "0 0 30 2 *", "--json"]);
  expect(never.code).toBe(0);
  expect(JSON.parse(never.stdout)).toMatchObject({ fires: [], warnings: [{ code: "never_fires" }] });
});

test("settings are printed with their origin, secrets are not, and an unknown one is refused with a suggestion", async () => {
  const env = { CARILLON_PORT: "7171", CARILLON_DATABASE_URL: "postgres://u:secret@db/x" };
  const printed = await run(["config", "print", "--show-origin"], { env });
  expect(printed.code).toBe(0);
  expect(printed.stdout).toContain("port\tCARILLON_PORT\t7171\tenvironment\n");
  expect(printed.stdout).toContain("retention\tCARILLON_RETENTION\t14d\tdefault\n");
  expect(printed.stdout).toContain("databaseUrl\tCARILLON_DATABASE_URL\t(set)\tenvironment\n");
  expect(printed.stdout).not.toContain("secret");
  const unknown = await run(["config", "print"], { env: { CARILLON_PROT: "1" } });
  expect(unknown).toMatchObject({ code: 2, stdout: "" });
  expect(unknown.stderr).toContain("did you mean CARILLON_PORT?");
});

test("doctor says what is well, and exits with 1 when something is not", async () => {
  const well = await run(["doctor", "--json"], { env: { CARILLON_DATA_DIR: import.meta.dirname } });
  expect(well.code).toBe(0);
  const checks = well.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(checks.map(({ check }) => check)).toEqual([
    "Node.js",
    "time zones",
    "database",
    "data folder",
    "disk",
    "port",
  ]);
  const zones = checks.find(({ check }) => check === "time zones");
  expect(zones.detail).toBe(`tz database ${process.versions.tz}, ICU ${process.versions.icu}`);
  const broken = await run(["doctor"], { env: { CARILLON_DATABASE_URL: "postgres://127.0.0.1:1/x" } });
  expect(broken.code).toBe(1);
  expect(broken.stdout).toMatch(/^!!\tdatabase\t/m);
});

test("a TypeScript module is run where Node strips types, and elsewhere the message says what to do", async () => {
  const answer = await run(["worker", `${fixtures}/typed-tasks.ts`, "--concurrency", "0"]);
  expect(answer).toMatchObject({ code: 2, stdout: "" });
  expect(answer.stderr).toContain("A whole number from 1 to");
  if (!("typescript" in process.features && process.features.typescript)) {
    const refused = await run(["worker", `${fixtures}/typed-tasks.ts`]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("does not run TypeScript files");
  }
});

test("a reader that has enough ends the command quietly", () => {
  const output = execFileSync("/bin/sh", [
    "-c",
    `"${process.execPath}" "${main}" cron explain "* * * * *" --count 1000 | head -1`,
  ]);
  expect(output.toString()).toBe("Every minute\n");
});
