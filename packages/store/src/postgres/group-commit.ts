/**
 * Calls of the same moment share one statement and one commit. Nobody waits for company: a call is sent at once unless `flights`
 * statements are under way; those that come meanwhile leave together when one returns.
 */
import { isDeadlock, sqlState } from "./db.ts";
import { unavailable } from "./db-errors.ts";

export interface Entry<Call, Answer> {
  call: Call;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export interface GroupOptions<Call, Answer> {
  flights: number;
  /** A flight carries calls until their sizes reach this. */
  maxSize: number;
  sizeOf(call: Call): number;
  /** Calls that share one of these do not fly together. */
  keysOf?(call: Call): Iterable<unknown>;
  /** A call that flies alone. */
  isAlone?(call: Call): boolean;
  /** Settles each entry. */
  run(entries: Entry<Call, Answer>[]): Promise<void>;
}

export function createGroup<Call, Answer>(options: GroupOptions<Call, Answer>): (call: Call) => Promise<Answer> {
  let queue: Entry<Call, Answer>[] = [];
  let flying = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled || flying >= options.flights || queue.length === 0) return;
    scheduled = true;
    // After everybody who was woken in this turn of the event loop has called.
    setImmediate(() => {
      scheduled = false;
      while (flying < options.flights && queue.length > 0) void fly();
    });
  }

  async function fly(): Promise<void> {
    const { taken, left } = take(queue, options);
    queue = left;
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

  return (call) =>
    new Promise((resolve, reject) => {
      queue.push({ call, resolve, reject });
      schedule();
    });
}

/** At least the first. */
function take<Call, Answer>(
  queue: Entry<Call, Answer>[],
  { maxSize, sizeOf, keysOf, isAlone }: GroupOptions<Call, Answer>,
): { taken: Entry<Call, Answer>[]; left: Entry<Call, Answer>[] } {
  const taken: Entry<Call, Answer>[] = [];
  const left: Entry<Call, Answer>[] = [];
  const keys = new Set<unknown>();
  let size = 0;
  let index = 0;
  for (; index < queue.length && size < maxSize; index++) {
    const entry = queue[index]!;
    const own = keysOf ? [...keysOf(entry.call)] : [];
    const alone = isAlone?.(entry.call) ?? false;
    if (taken.length > 0 && (alone || own.some((key) => keys.has(key)))) {
      left.push(entry);
    } else {
      taken.push(entry);
      size += sizeOf(entry.call);
      if (alone) size = maxSize;
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
