/** The command line as people run it: real processes of the build. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const main = join(import.meta.dirname, "../dist/main.js");
export const fixtures = join(import.meta.dirname, "fixtures");

/** Without the settings of whoever runs the tests. */
export const cleanEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(CARILLON_|DATABASE_URL|NODE_ENV|VITEST)/.test(name)),
);

export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
}

export interface Output {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs to the end. */
export async function run(args: string[], { env = {}, input = "" }: RunOptions = {}): Promise<Output> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...cleanEnvironment, ...env } });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  child.stdin.on("error", () => {}).end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

export interface Running {
  child: ChildProcess;
  /** Everything that was printed so far. */
  stdout: string[];
  stderr: string[];
  /** The first line of either stream that matches, also one that was printed already. */
  line(pattern: RegExp): Promise<string>;
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | string>;
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | string>;
}

/** Runs until stopped. */
export function start(args: string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...cleanEnvironment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const waiting = new Set<() => void>();
  for (const [stream, lines] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return {
    child,
    stdout,
    stderr,
    line(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = [...stdout, ...stderr].find((line) => pattern.test(line));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
        void ended.then((code) => {
          look();
          reject(new Error(`ended with ${code} before ${pattern}:\n${[...stdout, ...stderr].join("\n")}`));
        });
      });
    },
    ended,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** `carillon dev` on any free port, ready. */
export async function startDev(args: string[], env: Record<string, string> = {}): Promise<Running & { url: string }> {
  const node = start(["dev", ...args], env);
  const ready = await node.line(/^carillon ready on /);
  return { ...node, url: ready.slice("carillon ready on ".length) };
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "carillon-cli-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
