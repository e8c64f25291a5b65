import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { type Account, runAs } from "./account.ts";
import type { ServerLog } from "./log.ts";

/**
 * Starts `initdb` or `postgres` on a data folder, in a session of its own: Ctrl-C in the terminal reaches us, who then stop
 * the database in order, and not the database itself.
 *
 * The account may not be able to walk to the folder (`/root` is closed to it). So root opens the folder, and the child finds
 * it as an open descriptor, `/proc/self/fd/3`, which leads there whatever lies above.
 */
export function startChild(
  program: string,
  args: string[],
  { folder, account, log }: { folder: string; account: Account | null; log: ServerLog },
): ChildProcess {
  const output = log.open();
  const opened = account && process.platform === "linux" ? openSync(folder, "r") : null;
  try {
    return spawn(program, ["-D", opened === null ? folder : "/proc/self/fd/3", ...args], {
      ...runAs(account),
      detached: true,
      stdio: ["ignore", output, output, ...(opened === null ? [] : [opened])],
    });
  } finally {
    closeSync(output);
    if (opened !== null) closeSync(opened);
  }
}

export interface Exit {
  code: number | null;
  signal: string | null;
}

export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", reject);
  });
}
