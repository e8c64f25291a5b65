import { delay } from "@carillon/core";
import { createEngine, type Engine } from "@carillon/server";
import { createFaults, type Faults, type Store } from "@carillon/store";
import { noFeed, noLog, noMetrics } from "../silent.ts";
import { SimulatedProcess } from "./process.ts";
import { type Mutation, simulatedStore } from "./simulated-store.ts";
import type { Address, World } from "./world.ts";

const YEAR_MS = 366 * 86_400_000;
const RESTART_MS = 500;

/** A node of the product over a simulated database, network and machine. */
export class SimulatedNode {
  readonly name: string;
  /** How its line to the database misbehaves; it outlives the process. */
  readonly faults: Faults;
  readonly #world: World;
  readonly #bugs: { mutate: Mutation | null; clockAheadMs: number };
  #process: SimulatedProcess;
  #life: { engine: Engine; store: Store };
  #listening = false;

  constructor(name: string, world: World, bugs: { mutate: Mutation | null; clockAheadMs: number }) {
    this.name = name;
    this.#world = world;
    this.#bugs = bugs;
    this.faults = createFaults({ random: world.random, delay: world.delay });
    this.#process = new SimulatedProcess(name, world.clock);
    this.#life = this.#build();
  }

  get alive(): boolean {
    return this.#process.alive;
  }

  get process(): SimulatedProcess {
    return this.#process;
  }

  get engine(): Engine {
    return this.#life.engine;
  }

  /** Its connection to the database. */
  get store(): Store {
    return this.#life.store;
  }

  get address(): Address | null {
    const { dispatcher: gate } = this.engine;
    return this.alive && this.#listening ? { url: `sim://${this.name}`, process: this.#process, gate } : null;
  }

  /** As a service manager does: again and again until the database answers. */
  start(): void {
    if (!this.alive) {
      this.#process = new SimulatedProcess(this.name, this.#world.clock);
      this.#life = this.#build();
    }
    void this.#begin(this.#process, this.engine);
  }

  async #begin(process: SimulatedProcess, engine: Engine): Promise<void> {
    for (;;) {
      const started = await engine.start().then(
        () => true,
        () => false,
      );
      if (started) break;
      await delay(process.clock, RESTART_MS);
    }
    this.#listening = true;
  }

  kill(): void {
    this.#listening = false;
    this.#process.kill();
  }

  pause(ms: number): void {
    this.#process.pause(ms);
  }

  /** SIGTERM. */
  async drain(): Promise<void> {
    const process = this.#process;
    await this.engine.drain(10_000);
    if (process !== this.#process) return;
    this.#listening = false;
    process.kill();
  }

  #build(): { engine: Engine; store: Store } {
    const { mutate, clockAheadMs } = this.#bugs;
    const { clock } = this.#process;
    const store = simulatedStore(this.#process, this.#world, { faults: this.faults, mutate });
    const engine = createEngine({
      store,
      clock: { ...clock, now: () => clock.now() + clockAheadMs },
      random: this.#world.random,
      metrics: noMetrics,
      log: noLog,
      feed: noFeed,
      node: this.name,
      url: `sim://${this.name}`,
      roles: { dispatcher: true, planner: true },
      retentionMs: YEAR_MS,
      logRetentionMs: YEAR_MS,
    });
    return { engine, store };
  }
}
