import { z } from "zod";
import type { App, RouteDeps } from "../deps.ts";
import { textAnswer } from "../openapi.ts";

const tags = ["health"];
const readiness = z.strictObject({
  status: z.enum(["ready", "unavailable"]),
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), detail: z.string().nullable() })).optional(),
});

export function healthRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/livez",
    {
      schema: {
        tags,
        operationId: "livez",
        summary: "The process answers",
        response: { 200: z.strictObject({ status: z.literal("ok") }) },
      },
    },
    async (_request, reply) => reply.header("cache-control", "no-store").send({ status: "ok" as const }),
  );

  app.get(
    "/readyz",
    {
      schema: {
        tags,
        operationId: "readyz",
        summary: "This node can take requests",
        description: "With `?verbose` each check by name.",
        querystring: z.strictObject({ verbose: z.enum(["", "0", "1", "false", "true"]).optional() }),
        response: { 200: readiness, 503: readiness },
      },
    },
    async (request, reply) => {
      const checks = await deps.readiness();
      const ready = checks.every(({ ok }) => ok);
      const verbose = request.query.verbose !== undefined && !["0", "false"].includes(request.query.verbose);
      reply.code(ready ? 200 : 503).header("cache-control", "no-store");
      if (!ready) reply.header("retry-after", "1");
      return reply.send({
        status: ready ? ("ready" as const) : ("unavailable" as const),
        ...(verbose ? { checks } : {}),
      });
    },
  );

  app.get(
    "/metrics",
    {
      schema: {
        tags,
        operationId: "metrics",
        summary: "What this node counts, in the Prometheus text format",
        response: { 200: textAnswer("text/plain", "Metrics") },
      },
    },
    async (_request, reply) => {
      const { contentType, body } = await deps.metrics.render();
      return reply.type(contentType).serializer(String).send(body);
    },
  );
}
