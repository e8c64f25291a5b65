export { createBacklog } from "./backlog.ts";
export { followDatabase } from "./clock.ts";
export {
  type Config,
  isLoopback,
  loadConfig,
  postgresUrlProblem,
  type Role,
  type SettingKey,
  settings,
} from "./config.ts";
export { directTransport } from "./direct-transport.ts";
export { guardOf, type HttpPayload, type HttpResult, httpTask } from "./egress/http-task.ts";
export { createChangeFeed } from "./feed.ts";
export { createHttpApp } from "./http/app.ts";
export { injectFetch } from "./inject-fetch.ts";
export { bulkRound } from "./loops/bulk.ts";
export { createEngine, type Engine, type EngineOptions } from "./loops/engine.ts";
export { Loop } from "./loops/loop.ts";
export { createMetrics, type Metrics } from "./metrics.ts";
export { type CarillonNode, type NodeOptions, startNode } from "./node.ts";
export * from "./operations/index.ts";
