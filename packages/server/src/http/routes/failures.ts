import { listFailures } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { failureList, listFailuresQuery } from "../schemas/failures.ts";

export function failureRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/failures",
    {
      schema: {
        tags: ["tasks"],
        operationId: "listFailures",
        summary: "See what tasks fail of, the most frequent first",
        description:
          "Failed tasks that are remembered, the newest of them, in groups of the same type, error and place. Ids, numbers and quoted texts in the message, folders and lines make no difference.",
        querystring: listFailuresQuery,
        response: answers({ 200: failureList }),
      },
    },
    async (request) => listFailures(deps, namespace, request.query),
  );
}
