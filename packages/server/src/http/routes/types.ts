import { toTaskType } from "../../operations/views.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { typeList } from "../schemas/tasks.ts";

export function typeRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/types",
    {
      schema: {
        tags: ["types"],
        operationId: "listTypes",
        summary: "List the task types that workers declared",
        description: "A create that leaves queue, retry or timeout out takes them from here.",
        response: answers({ 200: typeList }),
      },
    },
    async () => ({ types: (await deps.store.types(namespace)).map(toTaskType), nextPageToken: null }),
  );
}
