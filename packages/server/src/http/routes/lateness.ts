import { listLateness } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { latenessAnswer, latenessQuery } from "../schemas/lateness.ts";

export function latenessRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/lateness",
    {
      schema: {
        tags: ["queues"],
        operationId: "listLateness",
        summary: "See how late tasks start, by queue",
        description:
          "Over all nodes, as they count it: what started in the last five seconds may be missing. p50 and p99 are estimated within a step of the histogram.",
        querystring: latenessQuery,
        response: answers({ 200: latenessAnswer }),
      },
    },
    async (request) => listLateness(deps, namespace, request.query),
  );
}
