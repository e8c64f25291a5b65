/**
 * One loop of a node: runs a round, waits as long as the round says, runs again. A round that fails is logged once and tried again with
 * growing pauses; a loop never ends by itself. The pause is jittered so that nodes do not march in step, and no timer is longer than 1 s,
 * so that a machine which slept notices; a longer pause is several of them.
 */
import type { Clock } from "@carillon/core";

export interface LoopOptions {
  name: string;
  clock: Clock;
  /** In [0, 1), for the jitter. */
  random: () => number;
  /** Returns how long to wait, in milliseconds; 0 means that there may be more to do. */
  round: () => Promise<number>;
  onRound?: (name: string) => void;
  onError: (name: string, error: unknown) => void;
}

const MAX_TIMER_MS = 1_000;
const MAX_FAILURE_PAUSE_MS = 1_000;
const JITTER = 0.2;

export class Loop {
  readonly name: string;
  readonly #options: LoopOptions;
  #running: Promise<void> | null = null;
  #stopped = false;
  #wake: (() => void) | null = null;
  #woken = false;

  constructor(options: LoopOptions) {
    this.name = options.name;
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the pause, if there is one, else skips the next. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Resolves when the round in progress has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopped) {
      let pauseMs: number;
      this.#woken = false;
      try {
        pauseMs = await this.#options.round();
        failures = 0;
      } catch (error) {
        if (failures === 0) this.#options.onError(this.name, error);
        failures++;
        pauseMs = Math.min(MAX_FAILURE_PAUSE_MS, 50 * 2 ** Math.min(failures, 6));
      }
      this.#options.onRound?.(this.name);
      if (!this.#stopped) await this.#pause(pauseMs);
    }
  }

  async #pause(pauseMs: number): Promise<void> {
    const { clock, random } = this.#options;
    const until = clock.monotonic() + pauseMs * (1 - JITTER * random());
    do {
      await this.#sleep(Math.min(MAX_TIMER_MS, until - clock.monotonic()));
    } while (!this.#woken && !this.#stopped && until - clock.monotonic() >= 1);
  }

  #sleep(delayMs: number): Promise<void> {
    if (this.#woken) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#wake = null;
        resolve();
      };
      const cancel = this.#options.clock.after(Math.max(0, delayMs), end);
      this.#wake = end;
    });
  }
}
