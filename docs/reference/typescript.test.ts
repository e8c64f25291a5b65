/** Runs the programs of `typescript.md` as processes of their own, against a node. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startNode } from "@carillon/server";
import { transformSync } from "@swc/core";
import { expect, onTestFinished, test } from "vitest";
import { createTestDatabase } from "../../packages/store/src/embedded/test-database.ts";

const HERE = import.meta.dirname;

/** The programs by name; plain JavaScript, so that any Node runs them. */
function writePrograms(): string {
  // Inside the repository, so that its packages are found from there.
  const folder = mkdtempSync(join(HERE, "../../node_modules/.programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [, name = "", code = ""] of readFileSync(join(HERE, "typescript.md"), "utf8").matchAll(
    /```ts\n\/\/ (\S+)\.ts\n([^`]*(?:`[^`]+`[^`]*)*)```/g,
  )) {
    const options = { jsc: { parser: { syntax: "typescript" as const }, target: "es2022" as const } };
    writeFileSync(
      join(folder, `${name}.mjs`),
      transformSync(code, options).code.replaceAll(/from "\.\/(\w+)\.ts"/g, 'from "./$1.mjs"'),
    );
  }
  return folder;
}

function start(
  folder: string,
  name: string,
  url: string,
): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`)], {
    env: { ...process.env, CARILLON_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, output: () => text, ended };
}

test("the programs of the TypeScript reference run", { timeout: 120_000 }, async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const node = await startNode({ databaseUrl: database.connectionString, listen: { host: "127.0.0.1", port: 0 } });
  onTestFinished(() => node.close({ timeout: "0s" }));
  const folder = writePrograms();
  const worker = start(folder, "worker", node.url!);
  const client = start(folder, "client", node.url!);
  expect(await client.ended, client.output() + worker.output()).toBe(0);
  const output = client.output();
  expect(output).toMatch(/^sent true$/m);
  expect(output).toMatch(/^info invoice for 42, key task_\w{13}$/m);
  expect(output).toMatch(/^failed handler_error task_\w{13} failed: a negative amount will not become positive$/m);
  expect(output).toMatch(/^created 2$/m);
  expect(output).toMatch(/^At 02:00.* 2$/m);
  worker.child.kill("SIGTERM");
  expect(await worker.ended, worker.output()).toBe(0);
});
