export { decideDowntime } from "./downtime.ts";
export { createEngine, type Engine, type EngineOptions } from "./engine.ts";
export { Loop, type LoopOptions } from "./loop.ts";
export { maintainRound, vacuumRound } from "./maintain.ts";
export { createPlanner, type Planner } from "./planner.ts";
export { createReaper, type Reaper } from "./reaper.ts";
export { createSession, type NodeSession, SESSION_TTL_MS } from "./session.ts";
