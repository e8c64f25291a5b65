/**
 * The built-in type `command`: runs an executable. Exists only in a worker that was started with a list of allowed executables; no
 * node runs one, and nothing that comes over the network widens the list.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { type TaskContext, type TaskDefinition, task } from "@carillon/client";

const KEPT_BYTES = 64 * 1024;
const KILL_AFTER_MS = 5_000;
/** What a command gets of the worker's environment; the rest may hold secrets. */
const PASSED_ENVIRONMENT = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR"];

export interface CommandPayload {
  /** The executable's absolute path, then its arguments. No shell reads them. */
  argv: [string, ...string[]];
  env?: Record<string, string>;
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

/** @param allow absolute paths of the executables that may be run */
export function commandTask(allow: readonly string[]): TaskDefinition<CommandPayload, CommandResult> {
  const allowed = new Set(allow);
  return task("command", {
    retry: { maxAttempts: 1 },
    run(payload: CommandPayload, context) {
      const [executable] = payload.argv;
      if (!allowed.has(executable)) {
        throw new CommandError(`${executable} is not on this worker's --allow-command list`, "handler_error");
      }
      return runCommand(payload, context);
    },
  });
}

function runCommand(
  { argv: [executable, ...args], env, cwd, stdin }: CommandPayload,
  context: TaskContext,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const passed = Object.fromEntries(
      PASSED_ENVIRONMENT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    );
    // Its own process group, so that what it started ends with it.
    const child = spawn(executable, args, {
      cwd,
      env: { ...passed, ...env },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout = keepTail(child.stdout, (line) => context.log.info(line));
    const stderr = keepTail(child.stderr, (line) => context.log.warn(line));
    const kill = () => killGroup(child);
    context.signal.addEventListener("abort", kill, { once: true });
    child.on("error", (error) =>
      reject(new CommandError(`could not start ${executable}: ${error.message}`, "handler_error")),
    );
    child.on("close", (exitCode, signal) => {
      context.signal.removeEventListener("abort", kill);
      if (context.signal.aborted) return reject(context.signal.reason);
      const result = { exitCode, signal, stdout: stdout.end(), stderr: stderr.end() };
      if (exitCode === 0) return resolve(result);
      const lastWords = result.stderr.trim().split("\n").at(-1);
      reject(
        new CommandError(
          `${signal ? `ended by ${signal}` : `exit code ${exitCode}`}${lastWords ? `: ${lastWords}` : ""}`,
          "exit_code",
        ),
      );
    });
    // A command that does not read its input closes the pipe; that is its business.
    child.stdin.on("error", () => {});
    child.stdin.end(stdin ?? "");
  });
}

/** Asks the whole group to end, and ends it when it does not. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  signalGroup(child.pid, "SIGTERM");
  const timer = setTimeout(() => signalGroup(child.pid as number, "SIGKILL"), KILL_AFTER_MS);
  child.once("close", () => {
    clearTimeout(timer);
    // The leader is gone; children of it that closed their output may still be there.
    signalGroup(child.pid as number, "SIGKILL");
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

/** Log lines as they come, and the last 64 KiB at the end. */
function keepTail(stream: NodeJS.ReadableStream, writeLine: (line: string) => void): { end(): string } {
  let tail = "";
  let line = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    tail = (tail + text).slice(-KEPT_BYTES);
    const lines = (line + text).split("\n");
    line = (lines.pop() ?? "").slice(-KEPT_BYTES);
    for (const complete of lines) writeLine(complete);
  });
  return {
    end() {
      if (line !== "") writeLine(line);
      return tail;
    },
  };
}
