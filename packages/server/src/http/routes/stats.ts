import { z } from "zod";
import { getQueueStats, getStats } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { queueStats, stats } from "../schemas/stats.ts";

export function statsRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/queues/:name/stats",
    {
      schema: {
        tags: ["queues"],
        operationId: "getQueueStats",
        summary: "See what waits in a queue, and how fast it moves",
        description: "Over all nodes. Queues exist by being used: one that never was has zeros.",
        params: z.strictObject({ name: z.string() }),
        response: answers({ 200: queueStats }),
      },
    },
    async (request) => getQueueStats(deps, namespace, request.params.name),
  );

  app.get(
    "/api/v1/stats",
    {
      schema: {
        tags: ["queues"],
        operationId: "getStats",
        summary: "See what waits and moves in all queues, who is there, and what new time zone data changed",
        response: answers({ 200: stats }),
      },
    },
    async () => getStats(deps, namespace),
  );
}
