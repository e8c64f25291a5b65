/**
 * How far running tasks have come, as their workers say: the latest of each, written in batches, about once a second. Fenced like outcomes.
 * What cannot be written waits for the next time, unless something newer has come; over the bound a task that has not reported before is
 * not taken in.
 */
import type { ReportedProgress } from "@carillon/client";
import { CarillonError, delay } from "@carillon/core";
import { findHeld, type Hand, refKey } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

const MAX_BATCH = 1_000;
const MAX_WAITING = 20_000;
const PERIOD_MS = 1_000;

export interface Progress {
  /** What a worker said about a task that it holds. */
  add(report: ReportedProgress): void;
}

export function createProgress({ store, clock, log, feed }: DispatcherOptions, { hand }: { hand: Hand }): Progress {
  const waiting = new Map<string, ReportedProgress>();
  let flying = false;

  async function run(): Promise<void> {
    // What comes with the same message goes with the same statement.
    await undefined;
    while (waiting.size > 0) {
      const reports = [...waiting.values()].slice(0, MAX_BATCH);
      for (const report of reports) waiting.delete(refKey(report));
      await write(reports);
      await delay(clock, PERIOD_MS);
    }
    flying = false;
  }

  async function write(reports: ReportedProgress[]): Promise<void> {
    try {
      await store.recordProgress(reports, clock.now());
      for (const { id, token } of reports) {
        const held = findHeld(hand, id, token);
        if (held?.phase === "assigned") feed.taskChanged(id, held.claimed.lane.namespace, "running");
      }
    } catch (error) {
      if (!CarillonError.from(error).retryable) {
        log.error({ error, reports: reports.length }, "progress could not be stored");
        return;
      }
      for (const report of reports) if (!waiting.has(refKey(report))) waiting.set(refKey(report), report);
    }
  }

  return {
    add(report) {
      const key = refKey(report);
      if (waiting.size >= MAX_WAITING && !waiting.has(key)) return;
      waiting.set(key, report);
      if (flying) return;
      flying = true;
      void run();
    },
  };
}
