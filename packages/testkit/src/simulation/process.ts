/** A process of the simulation: it can be killed, and stopped for a while, as by SIGKILL, SIGSTOP and SIGCONT. */
import type { Clock } from "@carillon/core";
import type { VirtualClock } from "../virtual-clock.ts";

export class SimulatedProcess {
  readonly name: string;
  readonly #world: VirtualClock;
  /** What happened to it while it was stopped. */
  #backlog: (() => void)[] | null = null;
  #alive = true;
  readonly #onExit = new Set<() => void>();
  /** The clock that its code sees: a dead process' timers never run, a stopped one's run when it goes on. */
  readonly clock: Clock & { certain(): boolean };

  constructor(name: string, world: VirtualClock) {
    this.name = name;
    this.#world = world;
    this.clock = {
      now: () => world.now(),
      monotonic: () => world.monotonic(),
      certain: () => true,
      after: (delayMs, callback) => {
        let cancelled = false;
        const cancel = world.after(delayMs, () => this.run(() => !cancelled && callback()));
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Something arrives from outside: now, or when the process goes on, or never. */
  run(event: () => void): void {
    if (!this.#alive) return;
    if (this.#backlog) this.#backlog.push(event);
    else event();
  }

  kill(): void {
    this.#alive = false;
    this.#backlog = null;
    for (const exit of [...this.#onExit]) exit();
    this.#onExit.clear();
  }

  pause(ms: number): void {
    if (!this.#alive || this.#backlog) return;
    this.#backlog = [];
    this.#world.after(ms, () => this.resume());
  }

  resume(): void {
    const events = this.#backlog ?? [];
    this.#backlog = null;
    for (const event of events) this.run(event);
  }

  /** What the kernel does when it is gone, e.g. closing its connections. Returns how to call it off. */
  onExit(exit: () => void): () => void {
    this.#onExit.add(exit);
    return () => this.#onExit.delete(exit);
  }
}
