/** The built-in type `http`: Carillon calls a URL. Runs in the node; every call goes through the address guard and follows no redirect. */
import type { TaskContext, TaskDefinition } from "@carillon/client";
import { task } from "@carillon/client";
import { Agent, request } from "undici";
import { type AddressGuard, createAddressGuard } from "./address-guard.ts";

const MAX_BODY_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_MS = 3_600_000;
const RETRIED = new Set([408, 425, 429]);
/** What the connection and Carillon say themselves. */
const RESERVED_HEADERS =
  /^(host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|proxy-.*|idempotency-key|webhook-.*|carillon-.*)$/i;

export interface HttpPayload {
  url: string;
  /** Default `POST`. */
  method?: string;
  headers?: Record<string, string>;
  /** A JSON value; a string is sent as it is. */
  body?: unknown;
  /** Statuses that mean success, such as `204` or `2xx`. Default `["2xx"]`. */
  expect?: (string | number)[];
}

export interface HttpResult {
  status: number;
  headers: Record<string, string>;
  /** The first 64 KiB. */
  body: string;
}

class HttpStatusError extends Error {
  readonly taskErrorCode = "http_status";
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  constructor(status: number, retryAfterMs: number | null) {
    super(`the target answered ${status}`);
    this.name = "HttpStatusError";
    this.retryable = RETRIED.has(status) || status >= 500;
    this.retryAfterMs = this.retryable ? retryAfterMs : null;
  }
}

/** @param allow see `createAddressGuard` */
export function httpTask(allow: readonly string[]): TaskDefinition<HttpPayload, HttpResult> {
  const guard = createAddressGuard(allow);
  return task("http", { timeout: "30s", run: (payload: HttpPayload, context) => call(guard, payload, context) });
}

async function call(guard: AddressGuard, payload: HttpPayload, context: TaskContext): Promise<HttpResult> {
  const url = new URL(payload.url);
  const pinned = await guard.resolve(url.hostname);
  // The name stays in Host and in the TLS handshake; only where to connect is decided here.
  const dispatcher = new Agent({
    pipelining: 0,
    connect: {
      lookup: (_name, options, callback) => {
        if (options.all) callback(null, [pinned]);
        else (callback as (error: null, address: string, family: number) => void)(null, pinned.address, pinned.family);
      },
    },
  });
  try {
    const { body, contentType } = encodeBody(payload.body);
    const response = await request(url, {
      dispatcher,
      signal: context.signal,
      method: (payload.method ?? "POST") as "POST",
      headers: { ...contentType, ...userHeaders(payload.headers), ...ownHeaders(context) },
      body: body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const result = {
      status: response.statusCode,
      headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
      body: await readBounded(response.body),
    };
    context.log.info(`${payload.method ?? "POST"} ${url.origin}${url.pathname} → ${result.status}`);
    if (isExpected(result.status, payload.expect ?? ["2xx"])) return result;
    throw new HttpStatusError(result.status, retryAfterMs(result.headers));
  } finally {
    await dispatcher.destroy();
  }
}

function encodeBody(body: unknown): { body: string | null; contentType: Record<string, string> } {
  if (body === undefined || body === null) return { body: null, contentType: {} };
  if (typeof body === "string") return { body, contentType: { "content-type": "text/plain; charset=utf-8" } };
  return { body: JSON.stringify(body), contentType: { "content-type": "application/json" } };
}

function userHeaders(headers: Record<string, string> = {}): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => !RESERVED_HEADERS.test(name));
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]));
}

function ownHeaders(context: TaskContext): Record<string, string> {
  return {
    "user-agent": "Carillon",
    "idempotency-key": context.idempotencyKey,
    "carillon-attempt": String(context.attempt),
    "carillon-due-at": context.dueAt.toISOString(),
    ...(context.fireAt === null ? {} : { "carillon-fire-at": context.fireAt.toISOString() }),
  };
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString();
}

function isExpected(status: number, expect: readonly (string | number)[]): boolean {
  return expect.some((pattern) => {
    const text = String(pattern);
    return text.endsWith("xx") ? Math.floor(status / 100) === Number(text[0]) : status === Number(text);
  });
}

/** Seconds, or a date beside the answer's own (RFC 9110, 10.2.3); at most an hour; null where there is none that makes sense. */
function retryAfterMs({ "retry-after": value, date }: Record<string, string>): number | null {
  if (value === undefined) return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - Date.parse(date ?? "");
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : null;
}
