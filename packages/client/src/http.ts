/**
 * One request to one of several addresses. What is safe to repeat is repeated: every request of this client is, since those that create
 * something carry an idempotency key. A problem document becomes a `CarillonError`.
 */
import { delay } from "@carillon/core/clock";
import { CarillonError, type ErrorCode, errorCodes, type FieldError } from "@carillon/core/errors";
import { processClock } from "./process-clock.ts";

const clock = processClock();
/** How often each address is tried. */
export const ROUNDS = 4;
const FIRST_PAUSE_MS = 100;
/** Who is told to wait longer gets the error, which says for how long. */
const LONGEST_PAUSE_MS = 10_000;
/** Longer than the longest `wait` of the API. */
const REQUEST_TIMEOUT_MS = 75_000;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What a node's own client does without a request. Nothing can get lost in between, so these need no idempotency key. */
export interface LocalCalls {
  /** The body of `POST /tasks`. */
  createTask(body: object): Promise<{ id: string; created: boolean }>;
  /** The body of `POST /tasks:batch`. */
  createTasks(body: { tasks: object[] }): Promise<{ id: string; created: boolean }[]>;
}

export interface HttpOptions {
  local?: LocalCalls | undefined;
  urls: string[];
  apiKey: string | null;
  fetch: Fetch;
  /** Index of the address that answered last. */
  current?: number;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** The answer's JSON; null for 204. */
export async function request<T>(options: HttpOptions, call: HttpRequest): Promise<T> {
  return (await exchange<T>(options, call)).body;
}

/** Like `request`, with the status for those whose meaning depends on it. */
export async function exchange<T>(options: HttpOptions, call: HttpRequest): Promise<{ status: number; body: T }> {
  const { signal } = call;
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      const response = await open(options, { ...call, accept: "application/json" }, body, timeout);
      const text = await readText(response);
      return { status: response.status, body: (text === "" ? null : parseAnswer(text)) as T };
    } catch (error) {
      signal?.throwIfAborted();
      const failure = CarillonError.from(error);
      // The request before was carried out, and only its answer was lost.
      if (attempt > 1 && call.method === "DELETE" && errorCodes[failure.code].http === 404)
        return { status: 204, body: null as T };
      const pauseMs = pauseBefore(failure, attempt, options);
      if (pauseMs === null) throw failure;
      await delay(clock, pauseMs, signal);
    }
  }
}

/** Sends to the current address; throws for everything that is no 2xx. The next call goes elsewhere when this one does not answer. */
export async function open(
  options: HttpOptions,
  { method, path, query = {}, headers, signal, accept }: Omit<HttpRequest, "body"> & { accept: string },
  body?: string,
  timeout?: AbortSignal,
): Promise<Response> {
  const { urls, apiKey, fetch, current = 0 } = options;
  const base = urls[current % urls.length] as string;
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  const signals = [signal, timeout].filter((each) => each !== undefined);
  let response: Response;
  try {
    response = await fetch(url.href, {
      method,
      headers: {
        accept,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
        ...headers,
      },
      signal: signals.length === 0 ? null : AbortSignal.any(signals),
      ...(body === undefined ? {} : { body }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    options.current = current + 1;
    throw new CarillonError("unavailable", { detail: `no answer from ${base}`, cause });
  }
  if (response.ok) return response;
  const error = problem(response, await readText(response));
  if (error.code === "unavailable") options.current = current + 1;
  throw error;
}

async function readText(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw new CarillonError("unavailable", { detail: "the answer broke off", cause });
  }
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CarillonError("internal", { detail: "the answer is not JSON; is this address a Carillon node?", cause });
  }
}

/** Null: this failure is the answer. */
function pauseBefore(failure: CarillonError, attempt: number, { urls }: HttpOptions): number | null {
  if (!failure.retryable || attempt >= ROUNDS * urls.length) return null;
  // Another address may answer at once.
  if (failure.code === "unavailable" && attempt % urls.length !== 0) return 0;
  const round = Math.ceil(attempt / urls.length);
  const pauseMs = failure.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** round * (0.5 + Math.random() / 2);
  return pauseMs <= LONGEST_PAUSE_MS ? pauseMs : null;
}

function problem(response: Response, text: string): CarillonError {
  let body: { code?: string; detail?: string; title?: string; errors?: FieldError[] } = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) body = parsed;
  } catch {
    // A proxy in between answers in its own words.
  }
  const retryAfterMs = readRetryAfter(response.headers.get("retry-after"));
  return new CarillonError(codeOf(response.status, body.code), {
    detail: body.detail ?? body.title ?? `HTTP ${response.status}`,
    errors: body.errors ?? [],
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

const codesByStatus: Record<number, ErrorCode> = {
  400: "invalid_request",
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  405: "method_not_allowed",
  413: "too_large",
  415: "unsupported_media_type",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

function codeOf(status: number, code: string | undefined): ErrorCode {
  if (code !== undefined && Object.hasOwn(errorCodes, code)) return code as ErrorCode;
  return codesByStatus[status] ?? "internal";
}

/** Seconds or a date; null for neither. */
function readRetryAfter(value: string | null): number | null {
  if (value === null || value.trim() === "") return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - clock.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
