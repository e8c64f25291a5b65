import { join } from "node:path";
import type { Account } from "./account.ts";
import { type Child, startChild } from "./child.ts";
import { explainFailure } from "./failure.ts";
import type { ServerLog } from "./log.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { until } from "./timers.ts";

interface Launch {
  binDir: string;
  /** PostgreSQL's data folder. */
  cluster: string;
  dataDir: string;
  socketDir: string;
  account: Account | null;
  settings: Record<string, string>;
  log: ServerLog;
}

/** Recovery reads at most `max_wal_size` of log, but a machine under load may be slow at it. */
const readyWithinMs = 600_000;
/** How long processes of a killed server may take to notice that it is gone. */
const lingerMs = 15_000;

/** Starts the server; resolves when it takes connections. */
export async function launchServer(launch: Launch): Promise<Child> {
  const { binDir, cluster: folder, dataDir, socketDir, account, settings, log } = launch;
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const startedAt = performance.now();
  for (;;) {
    const written = log.mark();
    const server = await startChild(join(binDir, "postgres"), args, { folder, account, log, socketDir });
    const isReady = () => {
      const file = readPostmasterFile(folder);
      return file?.pid === server.pid && file.status === "ready";
    };
    await until(() => !server.isRunning() || isReady(), { timeoutMs: readyWithinMs, everyMs: 5 });
    if (server.isRunning() && isReady()) return server;
    server.kill("SIGQUIT");
    await server.exited;
    const lingering = written().includes("pre-existing shared memory block");
    if (!lingering || performance.now() - startedAt > lingerMs) {
      throw explainFailure("PostgreSQL did not start", written(), dataDir, log.path);
    }
  }
}

/**
 * As gentle as it lets us: fast (sessions end, a checkpoint is written), then immediate (the next start recovers), then by
 * force. False: it still runs.
 */
export async function endServer(server: Pick<Child, "isRunning" | "kill">): Promise<boolean> {
  for (const [signal, timeoutMs] of [
    ["SIGINT", 60_000],
    ["SIGQUIT", 10_000],
    ["SIGKILL", 10_000],
  ] as const) {
    server.kill(signal);
    if (await until(() => !server.isRunning(), { timeoutMs })) return true;
  }
  return false;
}
