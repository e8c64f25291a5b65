/**
 * Tasks of one type that are handed to one call. Each keeps its own lease, attempt, timeout, signal and outcome: to its attempt, which knows
 * of no others, the batch is a handler that takes a while.
 */
import type { Clock } from "@carillon/core";
import { invalid } from "@carillon/core/errors";
import { durationMs } from "./retry-options.ts";

const MAX_SIZE = 10_000;
const DEFAULT_WAIT = "10ms";
const LONGEST_WAIT_MS = 3_600_000;

export interface BatchOptions {
  /** At most so many tasks in one call, 1 … 10,000. A worker gets no more at once than its `concurrency`. */
  size: number;
  /** How long the first of them waits for others, at most `1h`. Default `10ms`. */
  wait?: string;
}

interface Context {
  signal: AbortSignal;
}
// biome-ignore lint/suspicious/noExplicitAny: which payloads and contexts only the handler knows
type RunMany = (payloads: any[], contexts: any[]) => unknown;
type Run = (payload: unknown, context: Context) => Promise<unknown>;

interface Waiting {
  payload: unknown;
  context: Context;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Throws `invalid_request` for options that make no sense. Answers how long a batch waits to become full. */
export function checkBatch({ size, wait = DEFAULT_WAIT }: BatchOptions): number {
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE)
    throw invalid("/batch/size", "out_of_range", `batch.size is a whole number from 1 to ${MAX_SIZE}`);
  const waitMs = durationMs(wait, "/batch/wait");
  if (waitMs > LONGEST_WAIT_MS) throw invalid("/batch/wait", "out_of_range", "batch.wait is at most 1h");
  return waitMs;
}

/** The same definition, whose `run` collects tasks. `isFull`: the worker can hold no more, so that waiting brings none. */
export function collecting<Definition extends { runMany: RunMany; batch: BatchOptions }>(
  definition: Definition,
  { clock, isFull }: { clock: Clock; isFull: () => boolean },
): Definition & { run: Run } {
  const { batch, runMany } = definition;
  const waitMs = checkBatch(batch);
  let waiting: Waiting[] = [];
  let cancelTimer = () => {};

  function begin(): void {
    cancelTimer();
    const taken = waiting;
    waiting = [];
    void runTogether(runMany, taken);
  }

  return {
    ...definition,
    run: (payload, context) =>
      new Promise((resolve, reject) => {
        waiting.push({ payload, context, resolve, reject });
        if (waiting.length >= batch.size || isFull()) begin();
        else if (waiting.length === 1) cancelTimer = clock.after(waitMs, begin);
      }),
  };
}

/** One task by itself, for whoever runs a definition without a worker. */
export function runAlone(runMany: RunMany): Run {
  return (payload, context) =>
    new Promise((resolve, reject) => void runTogether(runMany, [{ payload, context, resolve, reject }]));
}

/** Never rejects. */
async function runTogether(runMany: RunMany, taken: Waiting[]): Promise<void> {
  // Called off while it waited: it never begins.
  const batch = taken.filter(({ context: { signal }, reject }) => {
    if (signal.aborted) reject(signal.reason);
    return !signal.aborted;
  });
  if (batch.length === 0) return;
  try {
    const outcomes: unknown = await runMany(
      batch.map(({ payload }) => payload),
      batch.map(({ context }) => context),
    );
    if (!Array.isArray(outcomes) || outcomes.length !== batch.length) {
      const given = Array.isArray(outcomes) ? `${outcomes.length} outcomes` : "no list of outcomes";
      throw new Error(`runMany gave ${given} for ${batch.length} tasks`);
    }
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome: unknown = outcomes[index];
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}
