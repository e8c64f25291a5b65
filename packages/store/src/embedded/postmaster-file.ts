import { readFileSync } from "node:fs";
import { join } from "node:path";

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
