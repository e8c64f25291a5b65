import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from "node:fs";

const maxBytes = 10 * 1024 ** 2;

/**
 * The file that PostgreSQL writes its log to by itself: no pipe through this process, so a busy or killed one never holds the
 * database up. Bounded to about twice `maxBytes`, with the older half in `<path>.1`.
 */
export interface ServerLog {
  path: string;
  /** A descriptor for a child's output; the caller closes it. */
  open(): number;
  /** What is written from now on. */
  mark(): () => string;
  trim(): void;
}

export function serverLog(path: string): ServerLog {
  const size = () => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return {
    path,
    open: () => openSync(path, "a", 0o600),
    mark() {
      const from = size();
      return () => readFrom(path, from);
    },
    trim() {
      if (size() <= maxBytes) return;
      // Copied and emptied instead of renamed: the server holds the file open, and appends.
      copyFileSync(path, `${path}.1`);
      truncateSync(path);
    },
  };
}

function readFrom(path: string, from: number): string {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(64 * 1024);
    return buffer.toString("utf8", 0, readSync(file, buffer, 0, buffer.length, from));
  } finally {
    closeSync(file);
  }
}
