/**
 * The built-in type `command`: runs an executable. Exists only in a worker that was started with a list of allowed executables; no
 * node runs one, and nothing that comes over the network widens the list, nor says with which variables an executable on it runs: those
 * can make it run something else.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { basename, isAbsolute } from "node:path";
import type { Readable } from "node:stream";
import { CarillonError, type StandardSchema, type TaskContext, type TaskDefinition, task } from "@carillon/client";
import { limits } from "@carillon/core/limits";
import { createLogQuota, LOG_FULL, type LogQuota } from "@carillon/core/log-quota";

const KEPT_BYTES = 64 * 1024;
/** So many log lines are written at once; then the worker's other tasks have their turn. */
const LINES_PER_TURN = 1_000;
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 5_000;
/** What processes that a command left behind have to finish writing; then they end with it. */
const LEFTOVER_MS = 1_000;
/** What a command gets of the worker's environment; the rest may hold secrets. */
const PASSED_ENVIRONMENT = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR"];
/** Whoever may send one of these any line gains nothing by any variable. */
const SHELLS = new Set(["sh", "ash", "bash", "dash", "ksh", "mksh", "zsh", "fish", "csh", "tcsh"]);

export interface CommandPayload {
  /** The executable's absolute path, then its arguments. No shell reads them. */
  argv: [string, ...string[]];
  env?: Record<string, string>;
  /** Default the worker's. */
  cwd?: string;
  stdin?: string;
}

export interface CommandResult {
  exitCode: number | null;
  signal: string | null;
  /** The last 64 KiB. */
  stdout: string;
  stderr: string;
}

class CommandError extends Error {
  readonly taskErrorCode: "exit_code" | "handler_error";
  readonly retryable: boolean;
  constructor(message: string, code: "exit_code" | "handler_error") {
    super(message);
    this.name = "CommandError";
    this.taskErrorCode = code;
    this.retryable = code === "exit_code";
  }
}

export interface CommandOptions {
  /** Names of the variables that a task's `env` may set; for a shell it may set any. Default none. */
  allowEnv?: readonly string[];
}

/** @param allow absolute paths of the executables that may be run, exactly as payloads name them */
export function commandTask(
  allow: readonly string[],
  { allowEnv = [] }: CommandOptions = {},
): TaskDefinition<CommandPayload, CommandResult> {
  for (const path of allow) {
    if (!isAbsolute(path))
      throw new CarillonError("invalid_request", { detail: `${path}: an allowed executable is an absolute path` });
  }
  const allowed = new Set(allow);
  return task("command", {
    schema: commandPayload(new Set(allowEnv)),
    retry: { maxAttempts: 1 },
    run(payload, context) {
      const [executable] = payload.argv;
      if (!allowed.has(executable)) {
        throw new CommandError(`${executable} is not on this worker's --allow-command list`, "handler_error");
      }
      return runCommand(payload, context);
    },
  });
}

/** Whether it is one by its name. Only those on a worker's list are run, so the name is the operator's word. */
export function isShell(executable: string): boolean {
  return SHELLS.has(basename(executable));
}

/** What a variable of a command may be called. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

// -------------------------------------------------------------------------------------------------------------------- running

function runCommand(
  { argv: [executable, ...args], env, cwd, stdin }: CommandPayload,
  { signal, log }: TaskContext,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const passed = Object.fromEntries(
      PASSED_ENVIRONMENT.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    );
    // Its own process group, so that what it started ends with it.
    const child = spawn(executable, args, { cwd, env: { ...passed, ...env }, detached: true, stdio: "pipe" });
    const watchdog = startWatchdog(child);
    const quota = createLogQuota();
    const stdout = keepTail(child.stdout, quota, (line) => log.info(line));
    const stderr = keepTail(child.stderr, quota, (line) => log.warn(line));

    const timers: NodeJS.Timeout[] = [];
    const stop = () => {
      signalGroup(child, "SIGTERM");
      timers.push(setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS));
    };
    signal.addEventListener("abort", stop, { once: true });

    child.on("error", (error) => {
      signal.removeEventListener("abort", stop);
      reject(new CommandError(`could not start ${executable}: ${error.message}`, "handler_error"));
    });
    // The executable has ended; others may still hold its output open.
    child.on("exit", () => {
      timers.push(
        setTimeout(() => {
          signalGroup(child, "SIGKILL");
          child.stdout.destroy();
          child.stderr.destroy();
        }, LEFTOVER_MS),
      );
    });
    child.on("close", (exitCode, endedBy) => {
      signal.removeEventListener("abort", stop);
      for (const timer of timers) clearTimeout(timer);
      signalGroup(child, "SIGKILL");
      watchdog?.kill("SIGKILL");
      const result = fit({ exitCode, signal: endedBy, stdout: stdout.end(), stderr: stderr.end() });
      if (signal.aborted) reject(signal.reason as Error);
      else if (exitCode === 0) resolve(result);
      else reject(new CommandError(describe(result), "exit_code"));
    });
    // A command that does not read its input closes the pipe; that is its business.
    child.stdin.on("error", () => {});
    child.stdin.end(stdin ?? "");
  });
}

/**
 * A shell that waits for the end of a pipe whose other end only we hold: when this process ends, `kill -9` included, the command's group
 * ends with it. It is gone before the group's number can belong to others.
 */
function startWatchdog({ pid }: ChildProcess): ChildProcess | null {
  if (pid === undefined) return null;
  const script = 'read -r _; kill -s TERM -- "-$1" && sleep "$2" && kill -s KILL -- "-$1"';
  const words = ["carillon-watchdog", String(pid), String(KILL_AFTER_MS / 1_000)];
  const watchdog = spawn("/bin/sh", ["-c", script, ...words], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.on("error", () => {}); // A machine without a shell does without it.
  watchdog.stdin?.on("error", () => {});
  watchdog.unref();
  return watchdog;
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

function describe({ exitCode, signal, stderr }: CommandResult): string {
  const lastWords = stderr.trim().split("\n").at(-1);
  return `${signal ? `ended by ${signal}` : `exit code ${exitCode}`}${lastWords ? `: ${lastWords}` : ""}`;
}

/**
 * Log lines as they come while the log has room, and the last 64 KiB at the end. Reads one piece at a time and no more before its lines
 * are written: a command that writes without end would otherwise keep everything else in this process waiting.
 */
function keepTail(stream: Readable, quota: LogQuota, writeLine: (line: string) => void): { end(): string } {
  let tail = "";
  /** What was read and is not in the log yet. */
  let rest = "";
  const write = (line: string) => {
    const kept = quota.keep(line.slice(0, limits.logLineBytes));
    if (kept !== null) writeLine(kept === LOG_FULL ? kept : line);
  };
  /** True: no whole line is left, or no room. */
  const writeLines = (max: number): boolean => {
    let from = 0;
    for (let written = 0; written < max && !quota.full(); written++) {
      const end = rest.indexOf("\n", from);
      // Of a line without end, too, the last part is kept.
      if (end === -1) {
        rest = rest.slice(from).slice(-KEPT_BYTES);
        return true;
      }
      write(rest.slice(from, end).replace(/\r$/, ""));
      from = end + 1;
    }
    rest = quota.full() ? "" : rest.slice(from);
    return quota.full();
  };
  const goOn = () => {
    if (writeLines(LINES_PER_TURN)) stream.resume();
    else setImmediate(goOn);
  };
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    tail = (tail + text).slice(-KEPT_BYTES);
    if (!quota.full()) rest += text;
    stream.pause();
    setImmediate(goOn);
  });
  return {
    end() {
      writeLines(LINES_PER_TURN);
      if (rest !== "") write(rest);
      return lastBytes(tail.replaceAll("\0", "\uFFFD"), KEPT_BYTES);
    },
  };
}

/** The end of a text, without half a character. */
function lastBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  let start = Math.max(0, bytes.length - maxBytes);
  // Bytes 10xxxxxx go on with a character that began before.
  while (start > 0 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start++;
  return bytes.subarray(start).toString();
}

/** Control characters take several times their room as JSON; a result that is too large would fail a command that succeeded. */
function fit(result: CommandResult): CommandResult {
  let fitting = result;
  for (let kept = KEPT_BYTES / 2; Buffer.byteLength(JSON.stringify(fitting)) > limits.resultBytes; kept /= 2) {
    fitting = { ...result, stdout: lastBytes(result.stdout, kept), stderr: lastBytes(result.stderr, kept) };
  }
  return fitting;
}

// ------------------------------------------------------------------------------------------------------------------- checking

/** Checked here again, whatever the node has let through: this process is the one that runs it. */
function commandPayload(allowEnv: ReadonlySet<string>): StandardSchema<CommandPayload> {
  return {
    "~standard": {
      version: 1,
      validate(value) {
        const issues = [...problems(value, allowEnv)].map(([path, message]) => ({ path, message }));
        return issues.length > 0 ? { issues } : { value: value as CommandPayload };
      },
    },
  };
}

function* problems(value: unknown, allowEnv: ReadonlySet<string>): Generator<[PropertyKey[], string]> {
  if (typeof value !== "object" || value === null) return yield [[], "an object with argv"];
  const { argv, env = {}, cwd, stdin } = value as Record<string, unknown>;
  if (!Array.isArray(argv) || argv.length === 0 || !argv.every(isText))
    yield [["argv"], "a list of texts without NUL, the first one an absolute path"];
  else if (!isAbsolute(argv[0] as string)) yield [["argv", 0], "the absolute path of an executable"];
  if (typeof env !== "object" || env === null || Array.isArray(env)) yield [["env"], "names and values"];
  else {
    const anyVariable = Array.isArray(argv) && typeof argv[0] === "string" && isShell(argv[0]);
    for (const [name, text] of Object.entries(env)) {
      if (!isVariableName(name)) yield [["env", name], "a variable's name"];
      else if (!anyVariable && !allowEnv.has(name)) yield [["env", name], "not on this worker's --allow-env list"];
      if (!isText(text)) yield [["env", name], "a text without NUL"];
    }
  }
  if (cwd !== undefined && !(isText(cwd) && isAbsolute(cwd))) yield [["cwd"], "an absolute path"];
  if (stdin !== undefined && typeof stdin !== "string") yield [["stdin"], "a text"];
}

const isText = (value: unknown): value is string => typeof value === "string" && !value.includes("\0");
