/**
 * Keeps creates out of queues that are full (`maxBacklog`), and out of namespaces that are (a setting of the nodes). What a queue holds is
 * counted by the store, about once a second, or ten times
 * while creates are refused; between two counts a node adds what it takes in and subtracts what it sees become final. So a create costs a
 * look into a map, and none at all where no queue has a bound. A single node keeps the bound; several know of each other's creates only
 * by the next count, so that together they may take in, for each further node, as much again as the queue had room for.
 *
 * Only what clients create asks here. Fires of schedules and backfills do not, nor what is tried again: they are never refused.
 */
import { backlogRetryMs, CarillonError, type Clock, invalid } from "@carillon/core";
import type { Store } from "@carillon/store";
import type { EndedBook } from "./ended-book.ts";

export interface Backlog {
  /** Takes places for these tasks, in all of their queues or in none. */
  admit(tasks: readonly { namespace: string; queue: string }[]): Admission;
  /** Asks the store what there is. Returns when to look again, in milliseconds. */
  look(): Promise<number>;
}

export type Admission =
  | { kind: "refused"; error: CarillonError }
  /** `settle`: to be called once, with what became of the tasks in the order sent; null when nothing is known to be created. */
  | { kind: "admitted"; settle(tasks: readonly { created: boolean }[] | null): void };

const LOOK_MS = 1_000;
/** While creates are refused. */
const SOON_MS = 100;
/** To count a large backlog takes a while; it is done for a twentieth of the time at most, but this often. */
const PATIENCE = 20;
const LATEST_MS = 5_000;
/** Nodes tell each other their figures every five seconds. */
const FIGURES_MS = 5_000;
/** Of this node the pace of the last seconds is known. */
const PACE_MS = 10_000;

interface Watched {
  namespace: string;
  /** Null: all of them. */
  queue: string | null;
  maxBacklog: number;
  /** By the store; null before it was asked. */
  counted: number | null;
  /** Taken in here, and perhaps not in that count. */
  since: number;
  /** Of those, what is on its way to the store. */
  flying: number;
  /** What had become final here when it was counted. */
  finished: number;
  /** The same at some moments of the last seconds, the oldest first. */
  paces: { at: number; finished: number }[];
  /** As all nodes together say. */
  perSecond: number;
}

export function createBacklog({
  store,
  clock,
  ended,
  maxBacklog: maxOfNamespace,
  isDiskTight = () => false,
}: {
  store: Pick<Store, "allQueues" | "countBacklogs" | "nodeFigures">;
  clock: Pick<Clock, "monotonic">;
  /** Of this node; left out: it runs nothing. */
  ended?: Pick<EndedBook, "finishedIn">;
  /** Of each namespace; left out: no bound. */
  maxBacklog?: number | undefined;
  /** The database has just room enough for what is there already. */
  isDiskTight?: () => boolean;
}): Backlog {
  const watched = new Map<string, Watched>();
  let refused = false;
  let figuresAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<number> | null = null;
  let next: Promise<number> | null = null;

  const finishedIn = ({ namespace, queue }: Watched) => ended?.finishedIn(namespace, queue) ?? 0;

  function held(queue: Watched): number {
    const { since, maxBacklog, finished } = queue;
    const counted = queue.counted ?? 0;
    // Of more than there should be nobody counted all: what ends makes room only for the next count.
    const gone = counted > maxBacklog ? 0 : Math.max(0, finishedIn(queue) - finished);
    return Math.max(0, counted + since - gone);
  }

  function paceOf(queue: Watched): number {
    const [oldest] = queue.paces;
    const ms = oldest ? clock.monotonic() - oldest.at : 0;
    const own = ms < LOOK_MS ? 0 : ((finishedIn(queue) - oldest!.finished) / ms) * 1_000;
    return Math.max(own, queue.perSecond);
  }

  function refuse(queue: Watched, wanted: number): CarillonError {
    const { namespace, queue: name, maxBacklog } = queue;
    const text = maxBacklog.toLocaleString("en");
    const what = name === null ? `The namespace ${namespace}` : `The queue ${name}`;
    if (wanted > maxBacklog) {
      const message = `${what} takes at most ${text} tasks at all (maxBacklog), and these are ${wanted.toLocaleString("en")}.`;
      return invalid("/tasks", "too_many", message);
    }
    refused = true;
    return new CarillonError("backlog_full", {
      detail: `${what} is full: ${text} of its tasks may wait or run (maxBacklog).`,
      retryAfterMs: backlogRetryMs({ maxBacklog, count: held(queue), wanted, perSecond: paceOf(queue) }),
    });
  }

  async function readCounts(): Promise<number> {
    const startedAt = clock.monotonic();
    const bounded = new Map<string, number>();
    for (const { namespace, name, settings } of await store.allQueues()) {
      const { maxBacklog } = settings;
      if (maxBacklog === undefined) continue;
      const key = keyOf(namespace, name);
      bounded.set(key, maxBacklog);
      const known = watched.get(key);
      if (known) known.maxBacklog = maxBacklog;
      else watched.set(key, unknown(namespace, name, maxBacklog));
    }
    for (const [key, { queue }] of watched) if (queue !== null && !bounded.has(key)) watched.delete(key);
    if (watched.size === 0) return LOOK_MS;

    const wasRefused = refused;
    refused = false;
    const queues = [...watched.values()];
    const landed = queues.map(({ since, flying }) => since - flying);
    const counts = await store.countBacklogs(
      queues.map(({ namespace, queue, maxBacklog }) => ({ namespace, queue, cap: maxBacklog + 1 })),
    );
    const now = clock.monotonic();
    for (const [index, queue] of queues.entries()) {
      queue.counted = counts[index]!;
      queue.since -= landed[index]!;
      queue.finished = finishedIn(queue);
      notePace(queue, now);
    }
    if (now - figuresAt >= FIGURES_MS) {
      figuresAt = now;
      await readFigures(queues);
    }
    const restMs = Math.min(LATEST_MS, PATIENCE * (now - startedAt));
    return Math.max(wasRefused || refused ? SOON_MS : LOOK_MS, restMs);
  }

  async function readFigures(queues: Watched[]): Promise<void> {
    const moving = (await store.nodeFigures()).flatMap((node) => node.queues);
    for (const queue of queues) {
      queue.perSecond = moving
        .filter(({ namespace, queue: name }) => namespace === queue.namespace && (queue.queue ?? name) === name)
        .reduce((sum, { finishedPerSecond }) => sum + finishedPerSecond, 0);
    }
  }

  function notePace(queue: Watched, now: number): void {
    const { paces } = queue;
    if (paces.length > 0 && now - paces.at(-1)!.at < LOOK_MS) return;
    paces.push({ at: now, finished: queue.finished });
    while (paces.length > 1 && now - paces[0]!.at > PACE_MS) paces.shift();
  }

  function begin(): Promise<number> {
    next = null;
    looking = readCounts().finally(() => {
      if (next === null) looking = null;
    });
    return looking;
  }

  /** What bounds a task: its queue, and its namespace. */
  function boundsOf({ namespace, queue }: { namespace: string; queue: string }): Watched[] {
    const bounds: Watched[] = [];
    const own = watched.get(keyOf(namespace, queue));
    if (own) bounds.push(own);
    if (maxOfNamespace === undefined) return bounds;
    let all = watched.get(keyOf(namespace, null));
    if (!all) watched.set(keyOf(namespace, null), (all = unknown(namespace, null, maxOfNamespace)));
    bounds.push(all);
    return bounds;
  }

  return {
    admit(tasks) {
      if (isDiskTight()) return { kind: "refused", error: diskTight() };
      if (watched.size === 0 && maxOfNamespace === undefined) return free;
      const wanted = new Map<Watched, number>();
      for (const task of tasks) {
        for (const bound of boundsOf(task)) wanted.set(bound, (wanted.get(bound) ?? 0) + 1);
      }
      if (wanted.size === 0) return free;
      for (const [queue, count] of wanted) {
        const known = queue.counted !== null;
        if (count > queue.maxBacklog || (known && held(queue) + count > queue.maxBacklog))
          return { kind: "refused", error: refuse(queue, count) };
      }
      for (const [queue, count] of wanted) {
        queue.since += count;
        queue.flying += count;
      }
      return {
        kind: "admitted",
        settle(answers) {
          for (const [queue, count] of wanted) queue.flying -= count;
          if (answers === null) return;
          for (const [index, task] of tasks.entries()) {
            if (answers[index]!.created) continue;
            for (const bound of boundsOf(task)) if (wanted.has(bound)) bound.since--;
          }
        },
      };
    },
    look() {
      if (looking === null) return begin();
      // What is under way may have asked before the change that this caller speaks of.
      next ??= looking.then(begin, begin);
      return next;
    },
  };
}

/** Somebody has to make room: longer than the client waits by itself. */
const DISK_RETRY_MS = 30_000;

function diskTight(): CarillonError {
  return new CarillonError("backlog_full", {
    detail:
      "The disk of the database is nearly full: nothing new is taken in, so that what is there can be carried out.",
    retryAfterMs: DISK_RETRY_MS,
  });
}

const free: Admission = { kind: "admitted", settle() {} };

/** Names hold no NUL, and are not empty. */
const keyOf = (namespace: string, queue: string | null) => `${namespace}\0${queue ?? ""}`;

function unknown(namespace: string, queue: string | null, maxBacklog: number): Watched {
  const count = { counted: null, since: 0, flying: 0, finished: 0 };
  return { namespace, queue, maxBacklog, ...count, paces: [], perSecond: 0 };
}
