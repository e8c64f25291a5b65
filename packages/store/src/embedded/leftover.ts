import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CarillonError } from "@carillon/core";
import { commandOf, inspectProcess, signal } from "./process.ts";
import { until } from "./timers.ts";

/** What `postmaster.pid` says. The server writes it line by line while it starts, so later ones may be missing. */
export interface PostmasterFile {
  pid: number;
  startedAtSeconds: number;
  socketDir: string;
  /** `starting`, `ready`, `stopping`. */
  status: string;
}

export function readPostmasterFile(cluster: string): PostmasterFile | null {
  let lines: string[];
  try {
    lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  return {
    pid: Number.parseInt(lines[0] ?? "", 10),
    startedAtSeconds: Number(lines[2] ?? 0),
    socketDir: lines[4] ?? "",
    status: (lines[7] ?? "").trim(),
  };
}

/**
 * Deals with what a killed supervisor left on the folder that is now ours: stops its database if it still runs, and removes a
 * pid file whose number belongs to somebody else by now. Answers what was done, null when there was nothing to do.
 */
export async function clearLeftovers(cluster: string, previousSocketDir: string | null): Promise<string | null> {
  const found = readPostmasterFile(cluster);
  if (!found) return null;
  const running = inspectProcess(found.pid);
  const socketDirs = [found.socketDir, previousSocketDir].filter((dir) => dir !== null && dir !== "");
  if (running && socketDirs.some((dir) => commandOf(found.pid).includes(`unix_socket_directories=${dir}`))) {
    await stopOrphan(found.pid);
    return `stopped an orphaned database (pid ${found.pid})`;
  }
  // A process that started after the file was written only reuses the number. 2 s: both clocks are rounded.
  if (running && running.startedAtSeconds <= found.startedAtSeconds + 2) {
    throw new CarillonError("unavailable", {
      detail: `A PostgreSQL that Carillon did not start (process ${found.pid}) runs on ${cluster}. Stop it first.`,
    });
  }
  // PostgreSQL itself still refuses if a server process of this folder lives on: it finds its shared memory by the folder.
  rmSync(join(cluster, "postmaster.pid"), { force: true });
  return "the database had not been stopped in order; it recovers from its log";
}

/** As gentle as it lets us: fast (a checkpoint, then the end), then immediate (the next start recovers), then by force. */
async function stopOrphan(pid: number): Promise<void> {
  for (const [name, timeoutMs] of [
    ["SIGINT", 60_000],
    ["SIGQUIT", 10_000],
    ["SIGKILL", 10_000],
  ] as const) {
    signal(pid, name);
    if (await until(() => !inspectProcess(pid), { timeoutMs })) return;
  }
  throw new CarillonError("unavailable", {
    detail: `The database that an earlier Carillon left running (process ${pid}) does not stop, not even by force.`,
  });
}
