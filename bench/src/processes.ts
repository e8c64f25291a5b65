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
export const cpuSecondsOfTree = (parent: number): number => sumOver(treeOf(parent), cpuSeconds);

/** What a process holds in memory, what it shares counted in part; 0 when it is gone. */
export function megabytes(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

/** What of it is in memory now, all that it shares included; 0 when it is gone. */
export function residentMegabytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

export const megabytesOfTree = (parent: number): number => sumOver(treeOf(parent), megabytes);

function treeOf(parent: number): number[] {
  const all = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return [parent, ...all.map(Number).filter((pid) => parentOf(pid) === parent)];
}

const sumOver = (pids: number[], of: (pid: number) => number) => pids.reduce((sum, pid) => sum + of(pid), 0);

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
