import { limits } from "./limits.ts";

/** What a log says instead of the first line that it has no room for. */
export const LOG_FULL = "The log is full; what follows is left out.";

/** How much of one attempt's log is kept: so many bytes, of which a line costs some beside its text, and so many lines. */
export interface LogQuota {
  /** Nothing more is kept. */
  full(): boolean;
  /** What to keep for a line: its text, `LOG_FULL` once, null from then on. */
  keep(text: string): string | null;
}

export function createLogQuota(): LogQuota {
  let lines = 0;
  let bytes = 0;
  let full = false;
  return {
    full: () => full,
    keep(text) {
      if (full) return null;
      lines++;
      bytes += Buffer.byteLength(text) + limits.logLineCostBytes;
      full = lines > limits.taskLogLines || bytes > limits.taskLogBytes;
      return full ? LOG_FULL : text;
    },
  };
}
