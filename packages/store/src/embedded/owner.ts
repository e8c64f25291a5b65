import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { CarillonError } from "@carillon/core";
import { inspectProcess, processSpace } from "./process.ts";
import { pause, repeat, until } from "./timers.ts";

/**
 * One process owns a data folder: the one named in `carillon.lock`.
 *
 * - The file is made whole under another name and then linked, so it is never seen half written, and only one can make it.
 * - It ends with its owner's `release`. An owner that was killed leaves it behind; whoever comes next takes it over, but never
 *   from a living process. Alive is told by pid and start time, so a later process with the same pid is not mistaken for it.
 * - Pids of another machine or container mean nothing here. Their owner is alive while it refreshes the file, and we watch
 *   long enough to know.
 * - A take-over holds `carillon.lock.takeover` while it looks again and replaces, so that two of them cannot both win.
 */
export interface Ownership {
  /** The owner that was killed without releasing; null when there was none. */
  previous: Owner | null;
  /** False: we stood still for so long that a process of another machine took the folder over. */
  stillOurs(): boolean;
  release(): void;
}

export interface Owner {
  pid: number;
  startedAt: string;
  /** The process behind the pid; see `ProcessInfo`. */
  identity: string;
  host: string;
  boot: string | null;
  namespace: string | null;
  /** Where the owner's database listens. */
  socketDir: string;
}

const refreshEveryMs = 5_000;
/** Four missed refreshes: longer than a busy disk or a paused virtual machine's hiccup. */
const defaultWatchMs = 20_000;

export async function takeOwnership(
  dataDir: string,
  socketDir: string,
  { log = () => {}, watchMs = defaultWatchMs }: { log?: (line: string) => void; watchMs?: number } = {},
): Promise<Ownership> {
  const path = join(dataDir, "carillon.lock");
  const us: Owner = {
    pid: process.pid,
    startedAt: new Date(performance.timeOrigin).toISOString(),
    identity: inspectProcess(process.pid)!.identity,
    host: hostname(),
    ...processSpace(),
    socketDir,
  };
  const text = `${JSON.stringify(us)}\n`;
  const mine = `${path}.${process.pid}-${socketDir.slice(-6)}`;
  writeFileSync(mine, text, { mode: 0o600 });
  try {
    const previous = await acquire(path, mine, dataDir, { log, watchMs });
    const file = openSync(path, "r+");
    // Writing the same bytes again changes nothing but the time of the last change, which is what others watch.
    const stopRefreshing = repeat(refreshEveryMs, () => {
      try {
        writeSync(file, text, 0);
      } catch {
        // A full disk; it does not take the folder from us.
      }
    });
    let released = false;
    return {
      previous,
      stillOurs() {
        try {
          return [text, null].includes(readText(path));
        } catch {
          return true; // Unreadable for a moment; nobody took it.
        }
      },
      release() {
        if (released) return;
        stopRefreshing();
        closeSync(file);
        if (readText(path) === text) rmSync(path, { force: true });
        released = true;
      },
    };
  } finally {
    rmSync(mine, { force: true });
  }
}

async function acquire(path: string, mine: string, dataDir: string, watch: Watch): Promise<Owner | null> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (linkOnce(mine, path)) return null;
    const found = readText(path);
    if (found === null) continue;
    const owner = parseOwner(found);
    if (owner && (await isAlive(owner, path, watch))) {
      throw new CarillonError("unavailable", {
        detail:
          `The data folder ${dataDir} is in use by process ${owner.pid}` +
          `${owner.host === hostname() ? "" : ` on ${owner.host}`}, started at ${owner.startedAt}. ` +
          "Stop it, or name another folder with --data-dir.",
      });
    }
    if (replaceOnce(path, mine, found)) return owner;
    await pause(10);
  }
  throw new CarillonError("unavailable", {
    detail: `Others keep taking over the data folder ${dataDir}. If no other Carillon starts on it, remove ${path}.takeover.`,
  });
}

/** True: `path` held `found` until the moment it became ours. */
function replaceOnce(path: string, mine: string, found: string): boolean {
  const right = `${path}.takeover`;
  if (!linkOnce(mine, right)) {
    const rival = parseOwner(readText(right) ?? "");
    // A rival that died in the middle of its take-over holds the right no longer.
    if (!rival || isDeadHere(rival)) rmSync(right, { force: true });
    return false;
  }
  try {
    if (readText(path) !== found) return false;
    const copy = `${mine}.copy`;
    linkSync(mine, copy);
    renameSync(copy, path);
    return true;
  } finally {
    rmSync(right, { force: true });
  }
}

interface Watch {
  log: (line: string) => void;
  watchMs: number;
}

async function isAlive(owner: Owner, path: string, { log, watchMs }: Watch): Promise<boolean> {
  const here = processSpace();
  if (owner.host === hostname()) {
    if (owner.boot !== here.boot) return false;
    if (owner.namespace === here.namespace) return !isDeadHere(owner);
  }
  log(`the data folder was used on ${owner.host} (process ${owner.pid}); watching whether it still is`);
  const before = changeTime(path);
  return await until(() => changeTime(path) !== before, { timeoutMs: watchMs, everyMs: 250 });
}

function isDeadHere(owner: Owner): boolean {
  const found = inspectProcess(owner.pid);
  return found === null || (found.identity !== owner.identity && found.identity !== "hidden");
}

function linkOnce(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Null: not a lock file's text, for example emptied by a power cut; nobody holds it. */
function parseOwner(text: string): Owner | null {
  try {
    const owner = JSON.parse(text) as Record<keyof Owner, unknown> | null;
    if (owner === null || typeof owner !== "object") return null;
    const { pid, boot, namespace, startedAt, identity, host, socketDir } = owner;
    const texts = [startedAt, identity, host, socketDir, boot ?? "", namespace ?? ""];
    return Number.isInteger(pid) && texts.every((value) => typeof value === "string") ? (owner as Owner) : null;
  } catch {
    return null;
  }
}

function changeTime(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
