import { listTargets } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { listTargetsQuery, targetList } from "../schemas/targets.ts";

export function targetRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/targets",
    {
      schema: {
        tags: ["targets"],
        operationId: "listTargets",
        summary: "See which targets of tasks are in trouble",
        description:
          "By name. A target of `http` tasks is listed from its first trouble on, until all has been well for a day.",
        querystring: listTargetsQuery,
        response: answers({ 200: targetList }),
      },
    },
    async (request) => listTargets(deps, namespace, request.query),
  );
}
