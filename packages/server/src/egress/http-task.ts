/** The built-in type `http`: Carillon calls a URL. Runs in the node; every call goes through the address guard and follows no redirect. */
import type { AnyTask, TaskContext, TaskDefinition } from "@carillon/client";
import { task } from "@carillon/client";
import { limits } from "@carillon/core";
import { Agent, type Dispatcher, request } from "undici";
import type { z } from "zod";
import { httpPayload } from "../http/schemas/builtin.ts";
import { type Address, type AddressGuard, createAddressGuard, type Resolve } from "./address-guard.ts";

const MAX_BODY_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_MS = 3_600_000;
const SHOWN_BODY_CHARACTERS = 200;
/** Of so many targets connections are kept. */
const MAX_AGENTS = 256;
const RETRIED = new Set([408, 425, 429]);
/** What the connection and Carillon say themselves. */
const RESERVED_HEADERS =
  /^(host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|proxy-.*|idempotency-key|webhook-.*|carillon-.*)$/i;
/**
 * Where other things than HTTP listen, which would take a request for commands, and databases that take commands over HTTP: ftp, ssh,
 * telnet, mail, rpc, Windows, ldap, shells, rsync, NFS, databases, Docker, remote desktops, X11, chat, brokers.
 */
const OTHER_PORTS = new Set(
  (
    "21 22 23 25 110 111 135 139 143 389 445 465 512 513 514 587 636 873 993 995 1433 1521 2049 2375 2376 3306 3389 " +
    "5432 5672 5900 6000 6379 6667 9042 9092 9200 9300 11211 27017 27018 27019"
  ).split(" "),
);

export type HttpPayload = z.output<typeof httpPayload>;

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
  constructor({ status, headers, body }: HttpResult) {
    const why = headers.location && status < 400 ? "; redirects are not followed" : "";
    const words = body.trim().slice(0, SHOWN_BODY_CHARACTERS);
    super(`the target answered ${status}${why}${words === "" ? "" : `: ${words}`}`);
    this.name = "HttpStatusError";
    this.retryable = RETRIED.has(status) || status >= 500;
    this.retryAfterMs = this.retryable ? retryAfterMs(headers) : null;
  }
}

class PortNotAllowedError extends Error {
  readonly taskErrorCode = "address_not_allowed";
  readonly retryable = false;
  constructor(port: string) {
    super(`port ${port} is not called: other things than web servers listen there, and no setting allows it`);
    this.name = "PortNotAllowedError";
  }
}

/** @param allow see `createAddressGuard`; a node that runs this also accepts no task for other addresses */
export function httpTask(allow: readonly string[], resolve?: Resolve): TaskDefinition<HttpPayload, HttpResult> {
  const guard = createAddressGuard(allow, resolve);
  const agentFor = createAgents();
  const definition = task("http", {
    schema: httpPayload,
    timeout: "30s",
    async run(payload: HttpPayload, context) {
      const url = new URL(payload.url);
      if (OTHER_PORTS.has(url.port)) throw new PortNotAllowedError(url.port);
      const addresses = await unlessAborted(guard.resolve(url.hostname), context.signal);
      return call(agentFor(addresses), url, payload, context);
    },
  });
  guards.set(definition, guard);
  return definition;
}

const guards = new WeakMap<AnyTask, AddressGuard>();

/** The guard of the `http` task among these; without one, public addresses only. */
export function guardOf(tasks: readonly AnyTask[]): AddressGuard {
  const [own] = tasks.flatMap((definition) => guards.get(definition) ?? []);
  return own ?? createAddressGuard([]);
}

async function call(agent: Agent, url: URL, payload: HttpPayload, context: TaskContext): Promise<HttpResult> {
  const method = payload.method ?? "POST";
  const { body, contentType } = encodeBody(payload.body);
  const response = await request(url, {
    dispatcher: agent,
    signal: context.signal,
    method,
    headers: {
      "user-agent": "Carillon",
      "accept-encoding": "identity",
      ...contentType,
      ...userHeaders(payload.headers, context),
      ...ownHeaders(context),
    },
    body,
    // The task's timeout is the only one.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const result = await readResult(response);
  context.log.info(`${method} ${url.origin}${url.pathname} → ${result.status}`);
  if (isExpected(result.status, payload.expect ?? ["2xx"])) return result;
  throw new HttpStatusError(result);
}

/**
 * Connections are kept for a few seconds, for the next call that may go to the same addresses. The name stays in Host and in the TLS
 * handshake; only where to connect to is decided here, and by the guard's answer to this very call.
 */
function createAgents(): (addresses: Address[]) => Agent {
  const known = new Map<string, { agent: Agent; to: Address[] }>();
  return (addresses) => {
    const key = addresses
      .map(({ address }) => address)
      .sort()
      .join(" ");
    const entry = known.get(key) ?? createEntry();
    // In the order in which they were answered now, for those who spread their load by it.
    entry.to = addresses;
    known.delete(key);
    known.set(key, entry);
    if (known.size > MAX_AGENTS) {
      const [longestUnused, { agent }] = known.entries().next().value!;
      known.delete(longestUnused);
      void agent.close();
    }
    return entry.agent;
  };
}

function createEntry(): { agent: Agent; to: Address[] } {
  const entry = {
    to: [] as Address[],
    agent: new Agent({
      connect: {
        autoSelectFamily: true,
        lookup: (_name, options, callback) => {
          const [first] = entry.to as [Address];
          if (options.all) callback(null, entry.to);
          else (callback as (error: null, address: string, family: number) => void)(null, first.address, first.family);
        },
      },
    }),
  };
  return entry;
}

/** A resolver may take longer than the task, and cannot be called off. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    work.then(resolve, reject);
  });
}

function encodeBody(body: unknown): { body: string | null; contentType: Record<string, string> } {
  if (body === undefined || body === null) return { body: null, contentType: {} };
  if (typeof body === "string") return { body, contentType: { "content-type": "text/plain; charset=utf-8" } };
  return { body: JSON.stringify(body), contentType: { "content-type": "application/json" } };
}

function userHeaders(headers: Record<string, string> = {}, { log }: TaskContext): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (RESERVED_HEADERS.test(name)) log.warn(`the header ${name} is Carillon's to write and was left out`);
    else kept[name.toLowerCase()] = value;
  }
  return kept;
}

function ownHeaders(context: TaskContext): Record<string, string> {
  return {
    "idempotency-key": context.idempotencyKey,
    "carillon-attempt": String(context.attempt),
    "carillon-due-at": context.dueAt.toISOString(),
    ...(context.fireAt === null ? {} : { "carillon-fire-at": context.fireAt.toISOString() }),
  };
}

async function readResult({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<HttpResult> {
  const result = {
    status: statusCode,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    body: await readStart(body),
  };
  // Bytes that are no text take several times their room as JSON.
  while (Buffer.byteLength(JSON.stringify(result)) > limits.resultBytes) {
    result.body = result.body.slice(0, result.body.length / 2);
  }
  return result;
}

/** The first 64 KiB as text; the rest is not read. */
async function readStart(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString().replaceAll("\0", "\uFFFD");
}

function isExpected(status: number, expect: readonly string[]): boolean {
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
