/**
 * Calls of the same moment share one statement and one commit. Nobody waits for company: a call is sent at once unless `flights`
 * statements are under way; those that come meanwhile leave together when one returns. How many may wait, and for how long, is bounded
 * where callers can be told to come back.
 */
import { CarillonError } from "@carillon/core";
import { isDeadlock, sqlState } from "./db.ts";
import { unavailable } from "./db-errors.ts";
import type { Timers } from "./timers.ts";

export interface Entry<Call, Answer> {
  call: Call;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export interface Size {
  rows: number;
  /** Of what can be large; roughly. */
  bytes: number;
}

export interface Waiting {
  /** A call that finds that much waiting is refused with `backlog_full`. */
  most: Size;
  /** A call that has waited that long was not sent, and is not sent any more: `unavailable`. */
  patienceMs: number;
  timers: Timers;
}

export interface GroupOptions<Call, Answer> {
  flights: number;
  /** A flight carries calls until their sizes reach this. */
  flight: Size;
  sizeOf(call: Call): Size;
  /** Null for calls that must not be refused; whoever makes them bounds them. */
  waiting: Waiting | null;
  /** Calls that share one of these do not fly together. */
  keysOf?(call: Call): Iterable<unknown>;
  /** A call that flies alone. */
  isAlone?(call: Call): boolean;
  /** Settles each entry. */
  run(entries: Entry<Call, Answer>[]): Promise<void>;
}

interface Queued<Call, Answer> extends Entry<Call, Answer> {
  size: Size;
  since: number;
}

export function createGroup<Call, Answer>(options: GroupOptions<Call, Answer>): (call: Call) => Promise<Answer> {
  const { waiting, sizeOf } = options;
  let queue: Queued<Call, Answer>[] = [];
  /** Of the queue. */
  const queued: Size = { rows: 0, bytes: 0 };
  let flying = 0;
  let scheduled = false;
  let stopTimer: (() => void) | null = null;

  function schedule(): void {
    if (queue.length === 0) stopTimer?.();
    else if (flying >= options.flights) startTimer();
    else if (!scheduled) {
      scheduled = true;
      // After everybody who was woken in this turn of the event loop has called.
      setImmediate(depart);
    }
  }

  function depart(): void {
    scheduled = false;
    refuseLate();
    while (flying < options.flights && queue.length > 0) void fly();
    schedule();
  }

  async function fly(): Promise<void> {
    const { taken, left } = take(queue, options);
    queue = left;
    for (const { size } of taken) add(queued, size, -1);
    flying++;
    try {
      await options.run(taken);
    } catch (error) {
      rejectAll(taken, error);
    } finally {
      flying--;
      schedule();
    }
  }

  /** For the one that has waited longest. There is none unless all flights are in the air, so that none outlives its purpose. */
  function startTimer(): void {
    if (!waiting || stopTimer) return;
    const leftMs = queue[0]!.since + waiting.patienceMs - waiting.timers.monotonic();
    const stop = waiting.timers.after(Math.max(0, Math.ceil(leftMs)), () => {
      stopTimer = null;
      refuseLate();
      schedule();
    });
    stopTimer = () => {
      stopTimer = null;
      stop();
    };
  }

  function refuseLate(): void {
    if (!waiting) return;
    const oldest = waiting.timers.monotonic() - waiting.patienceMs;
    let late = 0;
    while (late < queue.length && queue[late]!.since <= oldest) late++;
    if (late === 0) return;
    const refused = queue.splice(0, late);
    for (const { size } of refused) add(queued, size, -1);
    rejectAll(refused, notSent());
  }

  return (call) =>
    new Promise((resolve, reject) => {
      if (waiting && reaches(queued, waiting.most)) return reject(backlogFull());
      const size = sizeOf(call);
      add(queued, size);
      queue.push({ call, resolve, reject, size, since: waiting?.timers.monotonic() ?? 0 });
      schedule();
    });
}

function add(sum: Size, { rows, bytes }: Size, times = 1): void {
  sum.rows += times * rows;
  sum.bytes += times * bytes;
}

export const reaches = (size: Size, most: Size) => size.rows >= most.rows || size.bytes >= most.bytes;

function backlogFull(): CarillonError {
  return new CarillonError("backlog_full", {
    detail: "More waits for the database than it takes; nothing of this request was sent to it.",
    retryAfterMs: 1_000,
  });
}

/** Without a cause, unlike a statement that broke off: it certainly had no effect. */
function notSent(): CarillonError {
  return new CarillonError("unavailable", {
    detail: "The database takes too long; nothing of this request was sent to it.",
    retryAfterMs: 1_000,
  });
}

/** At least the first. */
function take<Call, Answer>(
  queue: Queued<Call, Answer>[],
  { flight, keysOf, isAlone }: GroupOptions<Call, Answer>,
): { taken: Queued<Call, Answer>[]; left: Queued<Call, Answer>[] } {
  const taken: Queued<Call, Answer>[] = [];
  const left: Queued<Call, Answer>[] = [];
  const keys = new Set<unknown>();
  const size: Size = { rows: 0, bytes: 0 };
  let full = false;
  let index = 0;
  for (; index < queue.length && !full; index++) {
    const entry = queue[index]!;
    const own = keysOf ? [...keysOf(entry.call)] : [];
    const alone = isAlone?.(entry.call) ?? false;
    if (taken.length > 0 && (alone || own.some((key) => keys.has(key)))) {
      left.push(entry);
    } else {
      taken.push(entry);
      add(size, entry.size);
      full = alone || reaches(size, flight);
    }
    // Also of those left: a later call must not overtake an earlier one with the same key.
    for (const key of own) keys.add(key);
  }
  for (; index < queue.length; index++) left.push(queue[index]!);
  return { taken, left };
}

const DEADLOCK_RETRIES = 3;

/**
 * Settles the entries with `work`'s answers. When the data of some call is at fault, the others succeed without it. `refuse` settles those
 * that failed for another reason.
 */
export async function settle<Call, Answer>(
  entries: Entry<Call, Answer>[],
  work: (calls: Call[]) => Promise<Answer[]>,
  refuse: (entries: Entry<Call, Answer>[], error: unknown) => Promise<void> | void = rejectAll,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const answers = await work(entries.map((entry) => entry.call));
      for (const [index, entry] of entries.entries()) entry.resolve(answers[index]!);
      return;
    } catch (error) {
      if (isDeadlock(error)) {
        if (attempt < DEADLOCK_RETRIES) continue;
        return refuse(entries, unavailable(error, { sent: false, broken: false }));
      }
      if (sqlState(error) === null) return refuse(entries, error);
      if (entries.length === 1) return rejectAll(entries, error);
      const middle = Math.ceil(entries.length / 2);
      await settle(entries.slice(0, middle), work, refuse);
      return settle(entries.slice(middle), work, refuse);
    }
  }
}

export function rejectAll(entries: { reject(error: unknown): void }[], error: unknown): void {
  for (const entry of entries) entry.reject(error);
}
