/**
 * The README's tour and the guides, typed as they stand there: each `sh` block runs, and the `text` block after it is what it must print.
 * `sh start` starts the node (killed with -9 before, if there was one), `sh background` goes on until the page has been read.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cleanEnvironment, main, type Running, startDev, temporaryFolder } from "./process.ts";

const root = join(import.meta.dirname, "../../..");

interface Block {
  kind: string;
  text: string;
  /** Lines that must be printed, in this order; `…` stands for anything. */
  expected: RegExp[];
}

function readBlocks(markdown: string): Block[] {
  const fences = [...markdown.matchAll(/^```(\S*) ?(\S*)\n(.*?)^```$/gms)];
  return fences.flatMap(([, language, kind = "", text = ""], index) => {
    if (language !== "sh") return [];
    const next = fences[index + 1];
    const expected = next?.[1] === "text" ? (next[3] ?? "").trimEnd().split("\n").map(lineWithGaps) : [];
    return [{ kind, text, expected }];
  });
}

function lineWithGaps(line: string): RegExp {
  return new RegExp(line.split("…").map(escapeForRegExp).join(".*"));
}

function escapeForRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

const data = temporaryFolder();
// Inside the repository, where the pages are read: `@carillon/client` is found from there.
const place = mkdtempSync(join(root, "node_modules/.pages-"));
let node: (Running & { url: string }) | null = null;

afterAll(async () => {
  await node?.stop();
  rmSync(place, { recursive: true, force: true });
  data.remove();
}, 30_000);

test.each([
  "README.md",
  "docs/guides/schedules.md",
  "docs/guides/workers.md",
  "docs/guides/limits.md",
  "docs/guides/migrating-from-cron.md",
  "docs/guides/operations.md",
])("%s works as it is written", { timeout: 120_000 }, async (page) => {
  const blocks = readBlocks(readFileSync(join(root, page), "utf8"));
  expect(blocks.length).toBeGreaterThan(0);
  const background: ChildProcess[] = [];
  try {
    for (const block of blocks) {
      if (block.kind === "start" || node === null) {
        node?.child.kill("SIGKILL");
        await node?.ended;
        const port: string = node === null ? "0" : new URL(node.url).port;
        node = await startDev(["--data-dir", data.path, "--port", port]);
        if (block.kind === "start") continue;
      }
      const { url } = node;
      const shell = spawn("/bin/bash", ["-c", `${prelude}\n${block.text.replaceAll("http://127.0.0.1:7070", url)}`], {
        cwd: place,
        env: { ...cleanEnvironment, CARILLON_URL: url },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      if (block.kind === "background") background.push(shell);
      await expectLines(shell, block);
    }
  } finally {
    // The whole group: the shell waits for what it started.
    for (const shell of background) process.kill(-shell.pid!, "SIGTERM");
  }
});

/** `npx carillon` without npm's second to find out what that is. */
const prelude = `set -euo pipefail; npx() { shift; "${process.execPath}" "${main}" "$@"; }`;

/** Waits until the lines were printed, and unless it goes on in the background for a good end. */
async function expectLines(shell: ChildProcess, { kind, text, expected }: Block): Promise<void> {
  let printed = "";
  const left = [...expected];
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk;
      if (kind === "background" && missing(printed, left).length === 0) resolve();
    };
    shell.stdout?.on("data", read);
    shell.stderr?.on("data", read);
    void once(shell, "close").then(([code]) => {
      if (code === 0) resolve();
      else reject(new Error(`${text}ended with ${code}:\n${printed}`));
    });
  });
  expect({ text, printed, missing: missing(printed, left) }).toEqual({ text, printed, missing: [] });
}

/** What does not come in this order. */
function missing(printed: string, expected: RegExp[]): RegExp[] {
  const lines = printed.split("\n");
  let at = 0;
  return expected.filter((pattern) => {
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    at = found < 0 ? at : found + 1;
    return found < 0;
  });
}
