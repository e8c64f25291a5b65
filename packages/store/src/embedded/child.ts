import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";
import { type Account, runAs } from "./account.ts";
import type { ServerLog } from "./log.ts";

export interface Exit {
  code: number | null;
  signal: string | null;
}

export interface Child {
  pid: number;
  isRunning(): boolean;
  /** Resolves when the process has ended, whoever ended it. */
  exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
}

interface Place {
  /** PostgreSQL's data folder. */
  folder: string;
  account: Account | null;
  log: ServerLog;
  /** Removed when this process ends without `stop`. */
  socketDir?: string;
}

/**
 * Starts `initdb` or `postgres` on a data folder, in a session of its own: Ctrl-C in the terminal reaches us, who then stop
 * the database in order, and not the database itself. It does not outlive this process, however that ends.
 *
 * The account may not be able to walk to the folder (`/root` is closed to it). So root opens the folder, and the child finds
 * it as an open descriptor, `/proc/self/fd/3`, which leads there whatever lies above.
 */
export async function startChild(program: string, args: string[], place: Place): Promise<Child> {
  const child = await spawnOn(program, args, place);
  const watchdog = startWatchdog(child.pid!, place);
  const atExit = () => {
    child.kill("SIGINT");
    if (place.socketDir) rmSync(place.socketDir, { recursive: true, force: true });
  };
  process.once("exit", atExit);
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      process.off("exit", atExit);
      watchdog.kill("SIGKILL");
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid!,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    exited,
    kill: (signal) => void child.kill(signal),
  };
}

function spawnOn(program: string, args: string[], { folder, account, log }: Place): Promise<ChildProcess> {
  const output = log.open();
  const opened = account && process.platform === "linux" ? openSync(folder, "r") : null;
  try {
    const child = spawn(program, ["-D", opened === null ? folder : "/proc/self/fd/3", ...args], {
      ...runAs(account),
      detached: true,
      stdio: ["ignore", output, output, ...(opened === null ? [] : [opened])],
    });
    return new Promise((resolve, reject) => {
      child.once("spawn", () => resolve(child));
      child.once("error", reject);
    });
  } finally {
    closeSync(output);
    if (opened !== null) closeSync(opened);
  }
}

/**
 * A shell that waits for the end of a pipe whose other end only we hold: when this process ends, `kill -9` included, the
 * child is told to stop. (Should the shell be killed too, the next start finds the orphan.)
 */
function startWatchdog(pid: number, { account, socketDir }: Place): ChildProcess {
  const script = 'read -r _; kill -INT "$1"; [ -z "$2" ] || rm -rf "$2"';
  const watchdog = spawn("/bin/sh", ["-c", script, "carillon-watchdog", String(pid), socketDir ?? ""], {
    ...runAs(account),
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.on("error", () => {}); // A container without a shell does without it.
  watchdog.stdin?.on("error", () => {});
  watchdog.unref();
  return watchdog;
}
