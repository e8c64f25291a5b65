/** Writes what this node alone knows, so that any node can answer for all: its workers, and how fast its queues have moved of late. */
import type { Id } from "@carillon/core";
import type { NodeFigures, Store, WorkerFacts } from "@carillon/store";
import type { EndedBook } from "../ended-book.ts";
import type { LatenessBook } from "../lateness-book.ts";

const WRITE_MS = 5_000;
/** Rates are means over the last minute. */
const WINDOW_MS = 60_000;

/** Kinds of workers that are told of; more than so many on one node are no matter of figures any more. */
const MOST_POOLS = 100;
/** As many as a node takes in over the network. */
const MOST_WORKERS = 5_000;
/** Of queues and types, in all that is told of them. */
const MOST_NAMES = 100_000;

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
  workers: () => readonly WorkerFacts[];
}): () => Promise<number> {
  const { store, clock, lateness, ended, session, workers } = options;
  const before: Totals[] = [];
  let told = 0;

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
      const connected = workers();
      const queues = ratesBetween(before[0]!, now);
      await store.recordFigures(session.id, { workers: connected.length, pools: poolsOf(connected), queues });
      if (connected.length > 0 || told > 0) await store.recordWorkers(session.id, toldOf(connected));
      told = connected.length;
    }
    return WRITE_MS;
  };
}

function poolsOf(workers: readonly WorkerFacts[]): NodeFigures["pools"] {
  const pools = new Map<string, NodeFigures["pools"][number]>();
  for (const { namespace, queues, types, slots, busy } of workers) {
    const key = JSON.stringify([namespace, queues, types]);
    const pool = pools.get(key) ?? { namespace, queues, types, workers: 0, slots: 0, busy: 0 };
    pools.set(key, pool);
    pool.workers++;
    pool.slots += slots;
    pool.busy += busy;
  }
  return [...pools.values()].slice(0, MOST_POOLS);
}

/** Each kind of workers counts its names once. */
function toldOf(workers: readonly WorkerFacts[]): WorkerFacts[] {
  const kinds = new Set<string>();
  let names = 0;
  return workers.slice(0, MOST_WORKERS).filter(({ namespace, queues, types }) => {
    const kind = JSON.stringify([namespace, queues, types]);
    if (kinds.has(kind)) return true;
    if (names + queues.length + types.length > MOST_NAMES) return false;
    names += queues.length + types.length;
    kinds.add(kind);
    return true;
  });
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
