/**
 * Log lines of running tasks, written in batches. They are fenced like outcomes and therefore written before their task's outcome.
 * A store that does not answer keeps them here; over the bound the oldest make room.
 */
import type { ReportedLogLine } from "@carillon/client";
import { CarillonError, delay } from "@carillon/core";
import type { HeldTask } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

const MAX_BATCH = 1_000;
const MAX_WAITING = 20_000;
const RETRY_MS = 250;

export interface Logs {
  add(held: HeldTask, line: ReportedLogLine): void;
  /** Null when no line of these tasks waits; else resolves once they are written, or were tried. */
  written(tasks: readonly HeldTask[]): Promise<void> | null;
}

export function createLogs({ store, clock, log }: DispatcherOptions): Logs {
  let waiting: ReportedLogLine[] = [];
  /** Numbers of the last line taken in, and of the last one that is done with. */
  let added = 0;
  let done = 0;
  let flight: Promise<void> | null = null;

  async function send(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting.splice(0, MAX_BATCH);
      try {
        await store.appendLogs(lines);
        done += lines.length;
      } catch (error) {
        if (!CarillonError.from(error).retryable) {
          log.error({ error, lines: lines.length }, "log lines could not be stored");
          done += lines.length;
          continue;
        }
        waiting = [...lines, ...waiting];
        await delay(clock, RETRY_MS);
      }
    }
    flight = null;
  }

  return {
    add(held, line) {
      if (waiting.length >= MAX_WAITING) {
        waiting.shift();
        done++;
      }
      waiting.push(line);
      held.lastLogLine = ++added;
      flight ??= send();
    },
    written(tasks) {
      return tasks.some((held) => held.lastLogLine > done) ? flight : null;
    },
  };
}
