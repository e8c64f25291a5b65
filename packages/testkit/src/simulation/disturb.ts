/** Trouble, drawn by the simulation's seed: everything that the product promises to survive. */
import { delay } from "@carillon/core";
import type { Simulation } from "./simulation.ts";

/** Up to so long between two troubles. */
const PAUSE_MS = 2_500;

type Trouble = (simulation: Simulation) => void;

const between = ({ random }: Simulation, least: number, most: number) => least + random() * (most - least);
const oneOf = <Item>({ random }: Simulation, items: readonly Item[]): Item =>
  items[Math.floor(random() * items.length)]!;

export const troubles: Record<string, Trouble> = {
  killNode(simulation) {
    const node = oneOf(simulation, simulation.nodes);
    if (!node.alive) return;
    node.kill();
    simulation.clock.after(between(simulation, 100, 8_000), () => node.alive || node.start());
  },
  killWorker(simulation) {
    const worker = oneOf(simulation, simulation.workers);
    worker.kill();
    simulation.clock.after(between(simulation, 100, 3_000), () => worker.alive || worker.start());
  },
  stopNode(simulation) {
    oneOf(simulation, simulation.nodes).pause(between(simulation, 100, 8_000));
  },
  stopWorker(simulation) {
    oneOf(simulation, simulation.workers).pause(between(simulation, 100, 12_000));
  },
  drainNode(simulation) {
    const node = oneOf(simulation, simulation.nodes);
    if (node.address === null) return;
    void node.drain();
    simulation.clock.after(12_000, () => node.alive || node.start());
  },
  closeWorker(simulation) {
    const worker = oneOf(simulation, simulation.workers);
    if (!worker.alive) return;
    void worker.close();
    simulation.clock.after(14_000, () => worker.alive || worker.start());
  },
  cutWorkerFromNode(simulation) {
    const mend = simulation.cut(oneOf(simulation, simulation.workers), oneOf(simulation, simulation.nodes));
    simulation.clock.after(between(simulation, 500, 10_000), mend);
  },
  cutNodeFromDatabase(simulation) {
    const { faults } = oneOf(simulation, simulation.nodes);
    faults.cutOff = true;
    simulation.clock.after(between(simulation, 200, 15_000), () => void (faults.cutOff = false));
  },
  databaseAway(simulation) {
    const ms = between(simulation, 200, 20_000);
    for (const { faults } of simulation.nodes) faults.cutOff = true;
    simulation.clock.after(ms, () => {
      for (const { faults } of simulation.nodes) faults.cutOff = false;
    });
  },
  answersLost(simulation) {
    const { faults } = oneOf(simulation, simulation.nodes);
    Object.assign(faults, { failBefore: 0.1, failAfter: 0.2 });
    simulation.clock.after(
      between(simulation, 500, 6_000),
      () => void Object.assign(faults, { failBefore: 0, failAfter: 0 }),
    );
  },
  databaseSlow(simulation) {
    const { faults } = oneOf(simulation, simulation.nodes);
    Object.assign(faults, { slow: 0.3, slowMs: 2_500 });
    simulation.clock.after(between(simulation, 500, 6_000), () => void Object.assign(faults, { slow: 0 }));
  },
  hintsLost(simulation) {
    for (const { faults } of simulation.nodes) faults.loseHint = 1;
    simulation.clock.after(between(simulation, 500, 10_000), () => {
      for (const { faults } of simulation.nodes) faults.loseHint = 0;
    });
  },
};

/** One trouble after the other for so long. Resolves when the last has begun; `heal` ends what is left. */
export async function disturb(simulation: Simulation, durationMs: number): Promise<void> {
  const { clock, random } = simulation;
  const until = clock.now() + durationMs;
  for (;;) {
    await delay(clock, random() * PAUSE_MS);
    if (clock.now() >= until) return;
    oneOf(simulation, Object.values(troubles))(simulation);
  }
}
