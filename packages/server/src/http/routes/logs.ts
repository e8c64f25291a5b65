import { searchLogs } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { foundLogList, searchLogsQuery } from "../schemas/tasks.ts";

export function logRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/logs",
    {
      schema: {
        tags: ["tasks"],
        operationId: "searchLogs",
        summary: "Search the logs of many tasks",
        description:
          "Lines of the newest tasks that match first, of each task the first 20, oldest first. A page looks at 1,000 tasks at most: it may be short, or empty, and not be the last.",
        querystring: searchLogsQuery,
        response: answers({ 200: foundLogList }),
      },
    },
    async (request) => searchLogs(deps, namespace, request.query),
  );
}
