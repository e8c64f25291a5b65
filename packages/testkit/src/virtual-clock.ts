/**
 * Time that stands still until it is advanced. Whatever is due on the way runs in the order of its instants, and everything that follows
 * from it (every promise that can settle) has settled before the next one, so a run depends on nothing but its inputs.
 */
import type { Clock } from "@carillon/core";

interface Timer {
  /** Milliseconds since the origin. */
  at: number;
  /** Timers of one instant run in the order in which they were set. */
  order: number;
  callback: () => void;
  cancelled: boolean;
}

export class VirtualClock implements Clock {
  readonly #origin: number;
  #elapsed = 0;
  readonly #settled: () => Promise<void>;
  #order = 0;
  readonly #timers: Timer[] = [];

  /** `settled` resolves when everything that needs no time has happened. Default start: 2026-01-01T00:00:00Z. */
  constructor(startAt = Date.UTC(2026, 0, 1), settled = promisesSettled) {
    this.#origin = startAt;
    this.#settled = settled;
  }

  now(): number {
    return this.#origin + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  certain(): boolean {
    return true;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { at: this.#elapsed + ticks(delayMs), order: this.#order++, callback, cancelled: false };
    this.#push(timer);
    return () => {
      timer.cancelled = true;
    };
  }

  /** Moves time on by `ms`. Resolves when everything until then, its last instant included, has happened. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ticks(ms);
    await this.#settled();
    for (let next = this.#timers[0]; next && next.at <= until; next = this.#timers[0]) {
      this.#pop();
      if (next.cancelled) continue;
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.callback();
      await this.#settled();
    }
    this.#elapsed = Math.max(this.#elapsed, until);
  }

  /** Moves time on as over a sleeping machine: nothing runs, and every timer comes that much later. */
  skip(ms: number): void {
    const skipped = ticks(ms);
    this.#elapsed += skipped;
    for (const timer of this.#timers) timer.at += skipped;
  }

  /** Advances in small steps until `condition` holds, at most `limitMs`. False: it did not come true. */
  async advanceUntil(condition: () => boolean, limitMs: number, stepMs = 10): Promise<boolean> {
    await this.#settled();
    for (const until = this.#elapsed + limitMs; this.#elapsed < until && !condition(); ) await this.advance(stepMs);
    return condition();
  }

  #push(timer: Timer): void {
    const timers = this.#timers;
    let index = timers.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (before(timers[parent]!, timer)) break;
      timers[index] = timers[parent]!;
      index = parent;
    }
    timers[index] = timer;
  }

  #pop(): void {
    const timers = this.#timers;
    const last = timers.pop()!;
    if (timers.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && before(timers[child + 1]!, timers[child]!)) child++;
      if (before(last, timers[child]!)) break;
      timers[index] = timers[child]!;
      index = child;
    }
    timers[index] = last;
  }
}

/**
 * Time moves in steps of 1/1024 ms, up to the next one: such instants, added to an epoch, are exact in a double, so that a timer set for an
 * instant runs at it and not a rounding error later.
 */
const ticks = (ms: number): number => Math.ceil(Math.max(0, ms) * 1_024) / 1_024;

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** When every promise that can settle without time passing has settled. */
const promisesSettled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
