/** The head of the OpenAPI document and the pieces that all operations share. */
import { errorCodes } from "@carillon/core";
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from "fastify-type-provider-zod";
import { z } from "zod";

export function openApiDocument(version: string): NonNullable<FastifyDynamicSwaggerOptions["openapi"]> {
  return {
    openapi: "3.1.0",
    info: {
      title: "Carillon",
      version,
      description:
        "Register tasks and schedules; Carillon stores them durably and workers start each on time. Calls that create something take an `Idempotency-Key`; the others do not read it, since they change nothing that is already so.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" } as { name: string },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "tasks", description: "One unit of work, now or at an instant." },
      { name: "workflows", description: "Tasks that come after one another, submitted together." },
      { name: "schedules", description: "Recurring rules: each fire creates exactly one task." },
      { name: "calendars", description: "Named days and hours that schedules exclude." },
      { name: "operations", description: "What goes on in the background, with its progress." },
      { name: "queues", description: "The named lines that workers pull from, and their limits." },
      { name: "targets", description: "What tasks call, and whether it answers." },
      { name: "workers", description: "The processes that run tasks." },
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

/** A body that may be left out, because all of its fields may. */
export function optionalBody<Body extends z.ZodObject>(schema: Body) {
  return schema.prefault({} as never).meta({ ...schema.meta(), optionalBody: true });
}

export const emptyBody = optionalBody(z.strictObject({}));

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

/** An answer that is text, not JSON. */
export function textAnswer(contentType: string, description: string) {
  return { description, content: { [contentType]: { schema: z.string() } } };
}

// What follows works on the document as data; only the parts that are touched are described.

interface Schema {
  /** Of a whole body or answer; moved to where OpenAPI wants it. zod drops `examples` of what it transforms. */
  example?: unknown;
  examples?: unknown[];
  optionalBody?: boolean;
  $ref?: string;
}
interface Media {
  schema?: Schema;
  example?: unknown;
}
export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}
export interface Document {
  openapi: string;
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const zodToJsonConfig = { unrepresentable: "any" } as const;
const toJsonSchemas = createJsonSchemaTransformObject({ zodToJsonConfig });

export const swaggerTransforms: Pick<FastifyDynamicSwaggerOptions, "transform" | "transformObject"> = {
  transform: createJsonSchemaTransform({ zodToJsonConfig }),
  transformObject: (document) => tidy(toJsonSchemas(document) as unknown as Document) as never,
};

/** Each schema comes as a request would send it and as an answer has it: one of the two is in use, and gets the name. */
function tidy(document: Document): Document {
  const { schemas } = document.components;
  const text = JSON.stringify(document.paths);
  const kept: Record<string, Schema> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    if (text.includes(`"#/components/schemas/${name}"`)) kept[name.replace(/Input$/, "")] = schema;
  }
  const paths = JSON.parse(text.replaceAll(/"(#\/components\/schemas\/\w+?)Input"/g, '"$1"')) as Document["paths"];
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) polish(operation, kept);
  for (const schema of Object.values(kept)) {
    if (schema.example !== undefined) schema.examples = [schema.example];
    delete schema.example;
  }
  return { ...document, paths, components: { ...document.components, schemas: kept } };
}

const statusWords: Record<string, string> = { 200: "Done", 201: "Created", 202: "Accepted, and committed to disk" };

function polish(operation: Operation, schemas: Record<string, Schema>): void {
  const body = operation.requestBody;
  for (const media of Object.values(body?.content ?? {})) {
    const schema = resolve(media.schema, schemas);
    if (body && schema?.optionalBody) body.required = false;
    delete schema?.optionalBody;
    if (schema?.example !== undefined) media.example = schema.example;
    delete media.schema?.example;
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    if (response.description === "Default Response") response.description = statusWords[status] ?? "Done";
    for (const media of Object.values(response.content ?? {})) {
      const example = resolve(media.schema, schemas)?.example;
      if (example !== undefined) media.example = example;
    }
  }
}

export function resolve(schema: Schema | undefined, schemas: Record<string, Schema>): Schema | undefined {
  const name = schema?.$ref?.split("/").at(-1);
  return name === undefined ? schema : schemas[name];
}
