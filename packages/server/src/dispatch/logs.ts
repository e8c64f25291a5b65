/**
 * Log lines of running tasks, written in batches. They are fenced like outcomes and therefore written before their task's outcome.
 * A store that does not answer keeps them here; over the bound the oldest make room. An attempt's log is limited here again: a worker in
 * any language may have written it.
 */
import type { ReportedLogLine } from "@carillon/client";
import { CarillonError, createLogQuota, delay, type LogQuota } from "@carillon/core";
import type { HeldTask } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

const MAX_BATCH = 1_000;
const MAX_WAITING = 20_000;
const RETRY_MS = 250;
/** No outcome waits longer for its task's log. */
const PATIENCE_MS = 2_000;

export interface Logs {
  add(held: HeldTask, line: ReportedLogLine): void;
  /** Null when no line of these tasks waits; else resolves once they are written, were tried, or have waited for long. */
  written(tasks: readonly HeldTask[]): Promise<void> | null;
}

export function createLogs({ store, clock, log }: DispatcherOptions): Logs {
  let waiting: ReportedLogLine[] = [];
  const quotas = new WeakMap<HeldTask, LogQuota>();
  /** Numbers of the last line taken in, and of the last one that is done with. */
  let added = 0;
  let done = 0;
  let flying = false;
  /** Told when everything up to their line is done with. */
  let listeners: { line: number; tell: () => void }[] = [];

  function finished(lines: number): void {
    done += lines;
    const ready = listeners.filter(({ line }) => line <= done);
    if (ready.length === 0) return;
    listeners = listeners.filter(({ line }) => line > done);
    for (const { tell } of ready) tell();
  }

  async function send(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting.splice(0, MAX_BATCH);
      try {
        await store.appendLogs(lines);
        finished(lines.length);
      } catch (error) {
        if (!CarillonError.from(error).retryable) {
          log.error({ error, lines: lines.length }, "log lines could not be stored");
          finished(lines.length);
          continue;
        }
        waiting = [...lines, ...waiting];
        await delay(clock, RETRY_MS);
      }
    }
    flying = false;
  }

  return {
    add(held, line) {
      let quota = quotas.get(held);
      if (!quota) quotas.set(held, (quota = createLogQuota()));
      const message = quota.keep(line.message);
      if (message === null) return;
      if (waiting.length >= MAX_WAITING) {
        waiting.shift();
        finished(1);
      }
      waiting.push({ ...line, message });
      held.lastLogLine = ++added;
      if (flying) return;
      flying = true;
      void send();
    },
    written(tasks) {
      const line = tasks.reduce((last, held) => Math.max(last, held.lastLogLine), 0);
      if (line <= done) return null;
      return new Promise((resolve) => {
        const cancel = clock.after(PATIENCE_MS, resolve);
        const tell = () => {
          cancel();
          resolve();
        };
        listeners.push({ line, tell });
      });
    },
  };
}
