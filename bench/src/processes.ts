import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** Seconds of processor time that a process and those of its children that have ended took; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    return (
      fieldsOf(pid)
        .slice(11, 15)
        .reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND
    );
  } catch {
    return 0;
  }
}

/** The same for a process with all its children, also those that have ended. */
export function cpuSecondsOfTree(parent: number): number {
  const children = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && parentOf(Number(entry)) === parent);
  return children.reduce((sum, pid) => sum + cpuSeconds(Number(pid)), cpuSeconds(parent));
}

function parentOf(pid: number): number {
  try {
    return Number(fieldsOf(pid)[1]);
  } catch {
    return 0;
  }
}

/** Those after the name, which may hold anything. */
function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

export function rssMegabytes(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024);
}
