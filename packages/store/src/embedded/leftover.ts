import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { CarillonError } from "@carillon/core";
import { readPostmasterFile } from "./postmaster-file.ts";
import { commandOf, inspectProcess, signal, worksIn } from "./process.ts";
import { endServer } from "./server.ts";

/**
 * Deals with what a killed supervisor left on the folder that is now ours: stops its database if it still runs, and removes a
 * pid file whose number belongs to somebody else by now. Answers what was stopped, null when nothing ran.
 */
export async function clearLeftovers(cluster: string, previousSocketDir: string | null): Promise<string | null> {
  const found = readPostmasterFile(cluster);
  if (!found) return null;
  // A server works in its data folder. One that works elsewhere has a folder of its own, of which this one is a copy.
  const here = worksIn(found.pid, cluster);
  const running = here === false ? null : inspectProcess(found.pid);
  const isKnown = here === true || process.platform !== "linux";
  const command = commandOf(found.pid);
  const socketDirs = [found.socketDir, previousSocketDir ?? ""].filter((dir) => basename(dir).startsWith("carillon-"));
  if (running && isKnown && socketDirs.some((dir) => command.includes(`unix_socket_directories=${dir}`))) {
    const orphan = {
      isRunning: () => inspectProcess(found.pid) !== null,
      kill: (name: NodeJS.Signals) => void signal(found.pid, name),
    };
    if (!(await endServer(orphan))) {
      throw new CarillonError("unavailable", {
        detail: `The database that an earlier Carillon left running (process ${found.pid}) does not stop, not even by force.`,
      });
    }
    return `stopped an orphaned database (pid ${found.pid})`;
  }
  // A process that started after the file was written only reuses the number. 2 s: both clocks are rounded.
  const mayBePostgres = command === "" || /postgres|postmaster/.test(command);
  if (running && mayBePostgres && running.startedAtSeconds <= found.startedAtSeconds + 2) {
    throw new CarillonError("unavailable", {
      detail: `A PostgreSQL that Carillon did not start (process ${found.pid}) runs on ${cluster}. Stop it first.`,
    });
  }
  // PostgreSQL itself still refuses if a server process of this folder lives on: it finds its shared memory by the folder.
  rmSync(join(cluster, "postmaster.pid"), { force: true });
  return null;
}
