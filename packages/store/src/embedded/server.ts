import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type Account, runAs } from "./account.ts";
import { type Exit, exitOf, startChild } from "./child.ts";
import { explainFailure } from "./failure.ts";
import { readPostmasterFile } from "./leftover.ts";
import type { ServerLog } from "./log.ts";
import { until } from "./timers.ts";

export interface Server {
  pid: number;
  /** Resolves when the server has ended, whoever ended it. */
  exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Fast shutdown: sessions end, a checkpoint is written. Resolves when the server has ended. */
  stop(): Promise<void>;
}

interface Launch {
  binDir: string;
  /** PostgreSQL's data folder. */
  cluster: string;
  dataDir: string;
  account: Account | null;
  settings: Record<string, string>;
  log: ServerLog;
}

/** Recovery reads at most `max_wal_size` of log, but a machine under load may be slow at it. */
const readyWithinMs = 600_000;
/** How long processes of a killed server may take to notice. */
const lingerMs = 15_000;

/** Starts the server; resolves when it takes connections. */
export async function launchServer(launch: Launch): Promise<Server> {
  const startedAt = performance.now();
  for (;;) {
    const written = launch.log.mark();
    const child = startChild(
      join(launch.binDir, "postgres"),
      Object.entries(launch.settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      { folder: launch.cluster, account: launch.account, log: launch.log },
    );
    const exited = exitOf(child);
    let ended = false;
    const note = () => {
      ended = true;
    };
    exited.then(note, note);
    const isReady = () => {
      const file = readPostmasterFile(launch.cluster);
      return file?.pid === child.pid && file?.status === "ready";
    };
    await until(() => ended || isReady(), { timeoutMs: readyWithinMs, everyMs: 5 });
    if (!ended && isReady()) return supervise(child, exited, launch.account);
    if (!ended) child.kill("SIGQUIT");
    await exited;
    const output = written();
    const lingers = output.includes("pre-existing shared memory block");
    if (!lingers || performance.now() - startedAt > lingerMs) {
      throw explainFailure("PostgreSQL did not start", output, launch.dataDir, launch.log.path);
    }
  }
}

function supervise(child: ChildProcess, exited: Promise<Exit>, account: Account | null): Server {
  const stopAtExit = () => void child.kill("SIGINT");
  process.once("exit", stopAtExit);
  const watchdog = startWatchdog(child.pid!, account);
  exited.then(() => {
    process.off("exit", stopAtExit);
    watchdog.kill("SIGKILL");
  });
  return {
    pid: child.pid!,
    exited,
    kill: (signal) => void child.kill(signal),
    async stop() {
      for (const [signal, timeoutMs] of [
        ["SIGINT", 60_000],
        ["SIGQUIT", 10_000],
        ["SIGKILL", 10_000],
      ] as const) {
        child.kill(signal);
        if (await until(() => child.exitCode !== null || child.signalCode !== null, { timeoutMs })) break;
      }
      await exited;
    },
  };
}

/**
 * A shell that waits for the end of a pipe whose other end only we hold: when this process ends, however it ends, the
 * database is stopped. (Should the shell be killed too, the next start finds the orphan.)
 */
function startWatchdog(pid: number, account: Account | null): ChildProcess {
  const watchdog = spawn("/bin/sh", ["-c", 'read -r _; kill -INT "$1"', "carillon-watchdog", String(pid)], {
    ...runAs(account),
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.on("error", () => {}); // A container without a shell does without it.
  watchdog.stdin?.on("error", () => {});
  watchdog.unref();
  return watchdog;
}
