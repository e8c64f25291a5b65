import { closeSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { serverLog } from "./log.ts";
import { temporaryFolder } from "./test/supervise.ts";

test("the log stays bounded while the server writes to it, and keeps what came last", () => {
  const log = serverLog(join(temporaryFolder(), "postgres.log"));
  const server = log.open();
  const written = log.mark();
  writeSync(server, "first\n");
  log.trim();
  expect(written()).toBe("first\n");
  for (let megabytes = 0; megabytes < 11; megabytes += 1) writeSync(server, "x".repeat(1024 ** 2));
  log.trim();
  expect(statSync(log.path).size).toBe(0);
  expect(statSync(`${log.path}.1`).size).toBe(11 * 1024 ** 2 + 6);
  writeSync(server, "after\n");
  expect(statSync(log.path).size).toBe(6);
  expect(written()).toBe("after\n");
  closeSync(server);
});

test("of a long log, the end is what is told", () => {
  const log = serverLog(join(temporaryFolder(), "postgres.log"));
  const written = log.mark();
  const server = log.open();
  writeSync(server, `${"x".repeat(100_000)}FATAL: the reason`);
  closeSync(server);
  expect(written()).toMatch(/FATAL: the reason$/);
});
