import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** What the example printed; it must end by itself with exit code 0. */
async function run(name: string): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "carillon-example-"));
  try {
    const script = join(import.meta.dirname, "dist/run.js");
    const { stdout } = await promisify(execFile)(process.execPath, [script, name], {
      env: { ...process.env, CARILLON_DATA_DIR: dataDir },
      timeout: 60_000,
    });
    return stdout;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

test("reminders appear in the order of their instants", { timeout: 90_000 }, async () => {
  const output = await run("reminders");
  expect(output).toMatch(/stretch[\s\S]*drink some water[\s\S]*look out of the window/);
  expect(output.match(/started \d+ ms after its instant/g)).toHaveLength(3);
});

test("the cron report previews its weekdays and fires every second", { timeout: 90_000 }, async () => {
  const output = await run("cron-report");
  expect(output).toContain("[Europe/Paris]");
  expect(output.match(/weekday-report: report for sales of /g)?.length).toBeGreaterThanOrEqual(3);
});

test("the HTTP target is called until it answers, with one idempotency key", { timeout: 90_000 }, async () => {
  const output = await run("http-target");
  expect(output).toContain("succeeded with 200");
  const keys = [...output.matchAll(/key (task_\w+)/g)].map(([, key]) => key);
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});

test("a remote worker runs tasks whose queue and retries only it knows", { timeout: 90_000 }, async () => {
  const output = await run("remote-worker");
  const [, node] = /node (\d+) on/.exec(output) ?? [];
  const workers = [...output.matchAll(/computed by process (\d+)/g)].map(([, pid]) => pid);
  expect(workers).toHaveLength(3);
  expect(workers).not.toContain(node);
});

test("a queue's limits hold, and a task that waits for them says so", { timeout: 90_000 }, async () => {
  const output = await run("rate-limit");
  expect(output).toMatch(/the last one waits: .*(rate_limit|key_limit)/);
  expect(output).toMatch(/20 tasks started within [1-9]\.\d s, of one customer at most 1 at a time/);
});

test("tasks for a target that is down wait for it, and those for another one do not", { timeout: 90_000 }, async () => {
  const output = await run("failing-target");
  expect(output).toMatch(/is open after \d+ calls: HttpStatusError: the target answered 503/);
  expect(output).toContain("a task for another target succeeded meanwhile");
  expect(output).toContain("all 30 succeeded once it answered again");
});

test("the workflow makes up for its failure, and goes on from there", { timeout: 90_000 }, async () => {
  const output = await run("workflow");
  expect(output).toContain("order-42 failed: charge succeeded, pack succeeded, ship failed, apologise succeeded");
  expect(output).toContain("wrap-lamp succeeded, wrap-chair succeeded, wrap-desk succeeded");
  expect(output).toContain("the customer is told");
  expect(output).toContain('order-42 succeeded: {"shipped":"2 boxes"}');
});
