/** Payloads of the built-in task types, checked when a task is created and again before it runs. */
import { parseDuration } from "@carillon/core";
import { z } from "zod";
import { problem } from "./common.ts";

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** What a header's value may hold: visible Latin-1, blanks and tabs; no line breaks. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Written by the sender of the request, not by the task. */
const OWN_HEADERS = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export const httpPayload = z.strictObject({
  url: z
    .string()
    .max(8_192)
    .superRefine((text, context) => {
      const url = URL.canParse(text) ? new URL(text) : null;
      if (!url || (url.protocol !== "http:" && url.protocol !== "https:") || url.username || url.password)
        problem(context, "invalid_url", "An absolute http or https URL without a user name or password.");
    }),
  method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).optional(),
  headers: z
    .record(z.string(), z.string().max(8_192))
    .superRefine((headers, context) => {
      if (Object.keys(headers).length > 64) problem(context, "too_many", "At most 64 headers.");
      for (const [header, value] of Object.entries(headers)) {
        if (!TOKEN.test(header)) problem(context, "invalid_header", "This is no header name.", [header]);
        else if (OWN_HEADERS.has(header.toLowerCase()))
          problem(context, "invalid_header", "This header is written by Carillon.", [header]);
        if (!HEADER_VALUE.test(value))
          problem(context, "invalid_header", "A header's value is one line of Latin-1 text.", [header]);
      }
    })
    .optional(),
  body: z.unknown().optional(),
  expect: z
    .array(
      z.string().superRefine((status, context) => {
        if (!/^([1-5]xx|[1-5]\d\d)$/.test(status)) problem(context, "invalid_format", "A status such as 204 or 2xx.");
      }),
    )
    .min(1)
    .max(20)
    .optional(),
});

const oneLine = z.string().max(65_536);

const commandPayload = z.strictObject({
  argv: z
    .array(oneLine)
    .min(1)
    .max(1_000)
    .superRefine((argv, context) => {
      if (argv[0] !== undefined && !argv[0].startsWith("/"))
        problem(context, "invalid_path", "The first argument is the absolute path of an executable.", [0]);
    }),
  env: z
    .record(z.string(), oneLine)
    .superRefine((env, context) => {
      for (const variable of Object.keys(env))
        if (!/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(variable))
          problem(context, "invalid_name", "This is no name of an environment variable.", [variable]);
    })
    .optional(),
  cwd: z
    .string()
    .max(4_096)
    .superRefine((path, context) => {
      if (!path.startsWith("/")) problem(context, "invalid_path", "The working directory is an absolute path.");
    })
    .optional(),
  stdin: z.string().optional(),
});

const sleepPayload = z.strictObject({
  for: z.string().superRefine((text, context) => {
    const ms = parseDuration(text);
    if (ms === null || ms > 86_400_000) problem(context, "invalid_duration", "A duration of at most 24h, such as 1s.");
  }),
});

const builtinPayloads = new Map<string, z.ZodType>([
  ["http", httpPayload],
  ["command", commandPayload],
  ["sleep", sleepPayload],
]);

/** Adds what is wrong with the payload of a built-in type, at `/payload/…`. Other types check theirs in the worker. */
export function checkBuiltinPayload(
  task: { type: string; payload?: string | null | undefined },
  context: z.core.$RefinementCtx,
): void {
  const schema = builtinPayloads.get(task.type);
  if (!schema) return;
  const value: unknown = JSON.parse(task.payload ?? "null");
  const result = schema.safeParse(value ?? undefined);
  for (const issue of result.error?.issues ?? []) {
    context.issues.push({ ...issue, input: value, path: ["payload", ...issue.path] } as z.core.$ZodRawIssue);
  }
}
