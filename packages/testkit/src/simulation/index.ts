export { disturb, troubles } from "./disturb.ts";
export type { SimulatedNode } from "./node.ts";
export type { Mutation } from "./simulated-store.ts";
export { createSimulation, type Simulation, type SimulationOptions } from "./simulation.ts";
export type { SimulatedWorker, Work } from "./worker.ts";
