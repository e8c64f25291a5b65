import { type TaskDefinition, task, Worker } from "@carillon/client";
import { delay, parseId } from "@carillon/core";
import { simulatedTransport } from "./network.ts";
import { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

/** What a simulated task's handler does. */
export interface Work {
  ms: number;
  /** Fails so many times first. */
  failures?: number;
  /** Takes its worker process down. */
  deadly?: boolean;
}

const RESTART_MS = 500;
/** The queue that a simulation may limit. */
export const LIMITED = "limited";

/** The client package's worker in a simulated process; its handlers write the journal. */
export class SimulatedWorker {
  readonly name: string;
  readonly #world: World;
  readonly #concurrency: number;
  #process: SimulatedProcess;
  #worker: Worker;
  #lives = 0;

  constructor(name: string, world: World, concurrency: number) {
    this.name = name;
    this.#world = world;
    this.#concurrency = concurrency;
    this.#process = new SimulatedProcess(name, world.clock);
    this.#worker = this.#build();
  }

  get alive(): boolean {
    return this.#process.alive;
  }

  start(): void {
    if (!this.alive) {
      this.#process = new SimulatedProcess(this.name, this.#world.clock);
      this.#worker = this.#build();
    }
    this.#worker.start();
  }

  kill(): void {
    this.#process.kill();
  }

  pause(ms: number): void {
    this.#process.pause(ms);
  }

  /** SIGTERM. */
  async close(): Promise<void> {
    const process = this.#process;
    await this.#worker.close({ timeout: "10s" });
    process.kill();
  }

  #build(): Worker {
    const name = `${this.name}.${++this.#lives}`;
    const { clock } = this.#process;
    this.#process.onExit(() => this.#world.journal.push({ kind: "died", worker: name, at: this.#world.clock.now() }));
    return new Worker({
      name,
      tasks: [this.#work(this.#process, name)],
      queues: ["default", LIMITED],
      concurrency: this.#concurrency,
      transport: simulatedTransport(this.#process, this.#world),
      clock,
      random: this.#world.random,
      signals: false,
    });
  }

  #work(process: SimulatedProcess, worker: string): TaskDefinition<Work, void> {
    const { clock, journal } = this.#world;
    return task("work", {
      run: async ({ ms, failures = 0, deadly = false }: Work, { taskId, fencingToken, dueAt, attempt, signal }) => {
        const line = { task: String(parseId("task", taskId)), token: fencingToken, worker };
        journal.push({ kind: "started", ...line, dueAt: dueAt.getTime(), at: clock.now() });
        if (deadly) {
          process.kill();
          clock.after(RESTART_MS, () => this.alive || this.start());
        }
        try {
          await delay(process.clock, ms, signal);
          signal.throwIfAborted();
          if (attempt <= failures) throw new Error("fails by design");
        } catch (error) {
          journal.push({ kind: "left", ...line, at: clock.now() });
          throw error;
        }
        journal.push({ kind: "ended", ...line, at: clock.now() });
      },
    });
  }
}
