import type { Clock } from "@carillon/core";

interface Timer {
  at: number;
  callback: () => void;
}

/** Time that a test moves. Between two timers everything that follows from the first has happened. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();
  readonly #epoch: number;

  constructor(epoch = Date.UTC(2026, 10, 20)) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#epoch + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = Math.max(this.#now, until);
  }

  /** The process stands still: time passes, and what was due then is called late. */
  async stall(ms: number): Promise<void> {
    await settled();
    this.#now += ms;
    await this.advance(0);
  }

  #next(until: number): Timer | undefined {
    return [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  }
}

/** When every promise that can settle without time passing has settled. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
