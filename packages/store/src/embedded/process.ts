import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync, statSync } from "node:fs";

export interface ProcessInfo {
  /** Differs between a process and a later one with the same pid. */
  identity: string;
  /** Seconds since the epoch, exact to a few seconds. */
  startedAtSeconds: number;
}

/** A living process, as far as this machine shows it. Null: there is none with this pid (a zombie counts as none). */
export function inspectProcess(pid: number): ProcessInfo | null {
  if (!exists(pid)) return null;
  try {
    return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
  } catch {
    // Alive, but hidden from us: equal to nothing, so nobody takes it for dead.
    return exists(pid) ? { identity: "hidden", startedAtSeconds: 0 } : null;
  }
}

/** The command line a living process was started with; empty when it cannot be read. */
export function commandOf(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}

/** Whether a living process works in this folder, by whatever path; null where the system does not tell. */
export function worksIn(pid: number, folder: string): boolean | null {
  try {
    const [its, wanted] = [statSync(`/proc/${pid}/cwd`), statSync(folder)];
    return its.dev === wanted.dev && its.ino === wanted.ino;
  } catch {
    return null;
  }
}

/**
 * Where pids mean something: the boot of the kernel and the pid namespace. Two containers may share the first and differ in
 * the second, and then neither sees the other's processes. Null where the system does not tell.
 */
export function processSpace(): { boot: string | null; namespace: string | null } {
  if (process.platform !== "linux") return { boot: null, namespace: null };
  const read = (get: () => string) => {
    try {
      return get();
    } catch {
      return null;
    }
  };
  return {
    boot: read(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
    namespace: read(() => readlinkSync("/proc/self/ns/pid")),
  };
}

/** Sends a signal; false when the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function fromProc(pid: number): ProcessInfo | null {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the command in parentheses and may hold spaces, so count from its end: state is field 3, start 22.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return null;
  const ticks = Number(fields[19]);
  const bootedAtSeconds = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
  // The kernel reports in USER_HZ, which is 100 on every architecture we ship binaries for.
  return { identity: `ticks ${ticks}`, startedAtSeconds: bootedAtSeconds + ticks / 100 };
}

function fromPs(pid: number): ProcessInfo | null {
  const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  }).trim();
  const [state = "", ...start] = line.split(/\s+/);
  if (state === "" || state.startsWith("Z")) return null;
  return { identity: start.join(" "), startedAtSeconds: Date.parse(start.join(" ")) / 1000 };
}
