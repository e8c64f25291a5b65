import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";

const maxBytes = 10 * 1024 ** 2;

/**
 * The file that PostgreSQL writes its log to by itself: no pipe through this process, so a busy or killed one never holds the
 * database up. Bounded to about twice `maxBytes`, with the older half in `<path>.1`.
 */
export interface ServerLog {
  path: string;
  /** A descriptor for a child's output; the caller closes it. */
  open(): number;
  /** Answers what is written from now on, or the end of it. */
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
      try {
        copyFileSync(path, `${path}.1`);
      } catch {
        // A full disk: emptying the log matters more than keeping it.
        rmSync(`${path}.1`, { force: true });
      }
      truncateSync(path);
    },
  };
}

function readFrom(path: string, from: number): string {
  if (!existsSync(path)) return "";
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(16 * 1024);
    // A file shorter than it was has been trimmed meanwhile.
    const start = Math.max(from > size ? 0 : from, size - buffer.length);
    return buffer.toString("utf8", 0, readSync(file, buffer, 0, buffer.length, start));
  } finally {
    closeSync(file);
  }
}
