/** Writes what this node alone knows, so that any node can answer for all: its workers, and how fast its queues have moved of late. */
import type { Id } from "@carillon/core";
import type { NodeFigures, Store } from "@carillon/store";
import type { EndedBook } from "../ended-book.ts";
import type { LatenessBook } from "../lateness-book.ts";

const WRITE_MS = 5_000;
/** Rates are means over the last minute. */
const WINDOW_MS = 60_000;

interface Totals {
  at: number;
  /** By namespace and queue. */
  queues: Map<string, { namespace: string; queue: string; started: number; finished: number }>;
}

export function figuresRound(options: {
  store: Store;
  clock: { monotonic(): number };
  lateness: Pick<LatenessBook, "starts">;
  ended: Pick<EndedBook, "finished">;
  session: { readonly id: Id | null };
  workers: () => number;
}): () => Promise<number> {
  const { store, clock, lateness, ended, session, workers } = options;
  const before: Totals[] = [];

  function totals(): Totals {
    const queues: Totals["queues"] = new Map();
    const of = (namespace: string, queue: string) => {
      const key = `${namespace} ${queue}`;
      const known = queues.get(key) ?? { namespace, queue, started: 0, finished: 0 };
      queues.set(key, known);
      return known;
    };
    for (const { namespace, queue, count } of lateness.starts()) of(namespace, queue).started += count;
    for (const { namespace, queue, count } of ended.finished()) of(namespace, queue).finished += count;
    return { at: clock.monotonic(), queues };
  }

  return async () => {
    const now = totals();
    before.push(now);
    while (before.length > 2 && before[1]!.at <= now.at - WINDOW_MS) before.shift();
    if (session.id !== null) {
      await store.recordFigures(session.id, { workers: workers(), queues: ratesBetween(before[0]!, now) });
    }
    return WRITE_MS;
  };
}

function ratesBetween(first: Totals, last: Totals): NodeFigures["queues"] {
  const seconds = (last.at - first.at) / 1_000;
  if (seconds === 0) return [];
  return [...last.queues].flatMap(([key, { namespace, queue, started, finished }]) => {
    const old = first.queues.get(key) ?? { started: 0, finished: 0 };
    if (started === old.started && finished === old.finished) return [];
    const rate = (count: number) => Math.round((count / seconds) * 1_000) / 1_000;
    return {
      namespace,
      queue,
      startedPerSecond: rate(started - old.started),
      finishedPerSecond: rate(finished - old.finished),
    };
  });
}
