/** The head of the OpenAPI document and the pieces that all operations share. */
import { errorCodes } from "@carillon/core";
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { z } from "zod";

export function openApiDocument(version: string): NonNullable<FastifyDynamicSwaggerOptions["openapi"]> {
  return {
    openapi: "3.1.0",
    info: {
      title: "Carillon",
      version,
      description: "Register tasks and schedules; Carillon stores them durably and workers start each on time.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" } as { name: string },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "tasks", description: "One unit of work, now or at an instant." },
      { name: "schedules", description: "Recurring rules: each fire creates exactly one task." },
      { name: "types", description: "What workers declared that they run." },
      { name: "events", description: "What changes, for screens." },
      { name: "health", description: "For probes and monitoring." },
    ],
  };
}

export const problemAnswer = z
  .strictObject({
    type: z.string().meta({ examples: ["/docs/errors#invalid_request"] }),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(errorCodes) as [keyof typeof errorCodes, ...(keyof typeof errorCodes)[]]),
    detail: z.string(),
    instance: z.string(),
    requestId: z.string(),
    retryable: z.boolean(),
    errors: z.array(
      z.strictObject({
        pointer: z.string().meta({ description: "JSON pointer into the body." }).optional(),
        parameter: z.string().meta({ description: "Name of a query parameter or header." }).optional(),
        code: z.string(),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: "Problem" });

const problem = { description: "Refused", content: { "application/problem+json": { schema: problemAnswer } } };

/** The answers of an operation: its own and the problems it can end in. */
export function answers<Own extends Record<number, unknown>>(own: Own): Own & Record<"4xx" | "5xx", typeof problem> {
  return { ...own, "4xx": problem, "5xx": problem };
}

export const noContent = z.null().meta({ description: "Done; there is nothing to say." });

export const idempotencyHeader = z.looseObject({
  "idempotency-key": z
    .string()
    .meta({ description: "The same key and request give the same answer for 24 h, with `Idempotent-Replayed: true`." })
    .optional(),
});

export const ifMatchHeader = z.looseObject({
  "if-match": z.string().meta({ description: "The `ETag` of the version to change; another one is 412." }).optional(),
});
