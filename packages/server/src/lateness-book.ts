/**
 * Counts how late tasks started, by queue and by where it arose: since this process began, for `/metrics`, and by windows of five minutes,
 * which go to the store so that any node can answer for all (`loops/lateness.ts`). Called once per task: a queue is found by its lane's
 * number, and numbers are added to arrays that are there already.
 *
 * Queues are named by users. Beyond `MAX_QUEUES` of them the rest is counted together, under a name that no queue can have.
 */
import { latenessBucket, latenessBucketsMs, latenessPhases } from "@carillon/core";
import type { Lane, LatenessWindow } from "@carillon/store";

export const MAX_QUEUES = 1_000;
export const OTHER_QUEUES = "_other";
/** Several lanes lead to one queue; more than this are looked up anew. */
const MAX_LANES = 10_000;
/** Windows that the store did not take yet; the oldest go first. */
const MAX_CLOSED = 5_000;
const WINDOW_MS = 5 * 60_000;
const BUCKETS = latenessBucketsMs.length + 1;

export interface LatenessCounts {
  /** By bucket of `latenessBucketsMs`. */
  counts: Float64Array;
  sumMs: number;
}

interface QueueBook {
  namespace: string;
  queue: string;
  /** Since the process began, without the present window. */
  before: LatenessCounts;
  window: LatenessCounts & { maxMs: number; phasesMs: Float64Array };
  changed: boolean;
}

export interface LatenessBook {
  /** `phasesMs` has one number for each of `latenessPhases`, and is read at once. */
  started(lane: Lane, lateMs: number, phasesMs: Float64Array): void;
  /** Since the process began. */
  queues(): Map<string, LatenessCounts>;
  /** How many started since the process began. */
  starts(): { namespace: string; queue: string; count: number }[];
  phases(): LatenessCounts[];
  /** Hands over the windows that have changed, as they are now; those that could not be written come again. Begins a new one in time. */
  write(now: number, send: (windows: LatenessWindow[]) => Promise<void>): Promise<void>;
}

export function createLatenessBook(): LatenessBook {
  const books = new Map<string, QueueBook>();
  const byLane = new Map<number, QueueBook>();
  const phases = latenessPhases.map(noCounts);
  let closed: LatenessWindow[] = [];
  let windowAt = 0;

  function bookOf({ namespace, queue }: Pick<Lane, "namespace" | "queue">): QueueBook {
    const key = `${namespace} ${queue}`;
    const known = books.get(key);
    if (known) return known;
    if (books.size >= MAX_QUEUES && queue !== OTHER_QUEUES) return bookOf({ namespace, queue: OTHER_QUEUES });
    const book = { namespace, queue, before: noCounts(), window: noWindow(), changed: false };
    books.set(key, book);
    return book;
  }

  function find(lane: Lane): QueueBook {
    const book = bookOf(lane);
    if (byLane.size >= MAX_LANES) byLane.clear();
    byLane.set(lane.id, book);
    return book;
  }

  function snapshot({ namespace, queue, window }: QueueBook): LatenessWindow {
    const { counts, maxMs, phasesMs } = window;
    return { namespace, queue, at: windowAt, counts: [...counts], maxMs, phasesMs: [...phasesMs] };
  }

  function closeWindow(): void {
    for (const book of books.values()) {
      if (book.changed) closed.push(snapshot(book));
      book.changed = false;
      add(book.before, book.window);
      Object.assign(book.window, noWindow());
    }
    closed = closed.slice(-MAX_CLOSED);
  }

  return {
    started(lane, lateMs, phasesMs) {
      const book = byLane.get(lane.id) ?? find(lane);
      const { window } = book;
      book.changed = true;
      window.counts[latenessBucket(lateMs)]!++;
      window.sumMs += lateMs;
      if (lateMs > window.maxMs) window.maxMs = lateMs;
      for (let index = 0; index < phasesMs.length; index++) {
        const ms = phasesMs[index]!;
        const phase = phases[index]!;
        window.phasesMs[index]! += ms;
        phase.counts[latenessBucket(ms)]!++;
        phase.sumMs += ms;
      }
    },
    queues() {
      const queues = new Map<string, LatenessCounts>();
      for (const { queue, before, window } of books.values()) {
        const sum = queues.get(queue) ?? noCounts();
        add(sum, before);
        add(sum, window);
        queues.set(queue, sum);
      }
      return queues;
    },
    starts: () =>
      [...books.values()].map(({ namespace, queue, before, window }) => {
        return { namespace, queue, count: total(before.counts) + total(window.counts) };
      }),
    phases: () => phases,
    async write(now, send) {
      const at = Math.floor(now / WINDOW_MS) * WINDOW_MS;
      if (windowAt === 0) windowAt = at;
      if (at > windowAt) {
        closeWindow();
        windowAt = at;
      }
      const open = [...books.values()].filter(({ changed }) => changed);
      const windows = [...closed, ...open.map(snapshot)];
      if (windows.length === 0) return;
      for (const book of open) book.changed = false;
      try {
        await send(windows);
        closed = [];
      } catch (error) {
        for (const book of open) book.changed = true;
        throw error;
      }
    },
  };
}

const total = (counts: Float64Array): number => counts.reduce((sum, count) => sum + count, 0);

function noCounts(): LatenessCounts {
  return { counts: new Float64Array(BUCKETS), sumMs: 0 };
}

function noWindow(): QueueBook["window"] {
  return { ...noCounts(), maxMs: 0, phasesMs: new Float64Array(latenessPhases.length) };
}

function add(sum: LatenessCounts, { counts, sumMs }: LatenessCounts): void {
  for (const [index, count] of counts.entries()) sum.counts[index]! += count;
  sum.sumMs += sumMs;
}
