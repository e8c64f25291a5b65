import { listWorkers } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { pageOnlyQuery } from "../schemas/tasks.ts";
import { workerList } from "../schemas/workers.ts";

export function workerRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/workers",
    {
      schema: {
        tags: ["workers"],
        operationId: "listWorkers",
        summary: "List the workers that are connected, by name",
        description: "To this node as it sees them, to the others as they said up to five seconds ago.",
        querystring: pageOnlyQuery,
        response: answers({ 200: workerList }),
      },
    },
    async (request) => listWorkers(deps, namespace, request.query),
  );
}
