import type { WorkerGate } from "@carillon/client";
import { delay } from "@carillon/core";
import { createMemoryDatabase, type MemoryDatabase } from "@carillon/store";
import type { JournalLine } from "../history.ts";
import { seededRandom } from "../random.ts";
import { VirtualClock } from "../virtual-clock.ts";
import type { SimulatedProcess } from "./process.ts";

/** A node that listens. */
export interface Address {
  url: string;
  process: SimulatedProcess;
  gate: WorkerGate;
}

/** What everything in one simulation shares. */
export interface World {
  readonly clock: VirtualClock;
  /** In [0, 1); every chance of the run comes from here, so that its seed repeats it. */
  readonly random: () => number;
  readonly database: MemoryDatabase;
  readonly journal: JournalLine[];
  /** Pairs of a worker's and a node's name between which nothing arrives. */
  readonly cuts: Set<string>;
  /** Nodes that listen at the moment. */
  addresses: () => Address[];
  delay(ms: number): Promise<void>;
}

export function createWorld(seed: number): World {
  const clock = new VirtualClock();
  return {
    clock,
    random: seededRandom(seed),
    database: createMemoryDatabase({ now: () => clock.now() }),
    journal: [],
    cuts: new Set(),
    addresses: () => [],
    delay: (ms) => delay(clock, ms),
  };
}
