import type { EngineOptions } from "@carillon/server";

/** Metrics that nobody reads. */
export const noMetrics: EngineOptions["metrics"] = {
  taskStarted() {},
  taskEnded() {},
  claimed() {},
  statementTook() {},
  loopRan() {},
  workers() {},
  targets() {},
  depths() {},
  render: async () => ({ contentType: "text/plain", body: "" }),
};

export const noLog = { debug() {}, info() {}, warn() {}, error() {} };
export const noFeed: EngineOptions["feed"] = { taskChanged() {} };
