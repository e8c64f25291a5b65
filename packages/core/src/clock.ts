/**
 * Time as the parts of a node and a worker see it. `core` only names it: the server follows the database's clock, a worker follows its
 * process, a test moves it by hand.
 */
export interface Clock {
  /** Epoch milliseconds, with fractions. Never steps back. */
  now(): number;
  /** Milliseconds of a clock that nobody sets; for durations. */
  monotonic(): number;
  /** Calls back once after about `delayMs`; a timer paces, it never decides. Returns how to call it off. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Resolves after `delayMs` of the clock, earlier when the signal aborts. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const stop = () => {
      cancel();
      resolve();
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Resolves with `work`, or after `ms` of the clock if that takes longer; leaves no timer behind. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  await Promise.race([work, delay(clock, ms, done.signal)]).finally(() => done.abort());
}
