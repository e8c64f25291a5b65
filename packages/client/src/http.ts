/** One request to one of several addresses: retries what may be retried, and turns a problem document into an error. */
import { delay } from "@carillon/core/clock";
import { CarillonError, type ErrorCode, errorCodes, type FieldError } from "@carillon/core/errors";
import { processClock } from "./process-clock.ts";

const clock = processClock();
const ATTEMPTS = 4;
const REQUEST_TIMEOUT_MS = 75_000;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  urls: string[];
  apiKey: string | null;
  fetch: Fetch;
}

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** The answer's JSON; null for 204. Every request of this client is safe to repeat: creates carry an idempotency key. */
export async function request<T>(options: HttpOptions, call: HttpRequest): Promise<T> {
  return (await exchange<T>(options, call)).body;
}

/** Like `request`, with the status for those whose meaning depends on it. */
export async function exchange<T>(options: HttpOptions, call: HttpRequest): Promise<{ status: number; body: T }> {
  let failure: CarillonError | null = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (failure)
      await delay(clock, failure.retryAfterMs ?? 100 * 2 ** attempt * (0.5 + Math.random() / 2), call.signal);
    const base = options.urls[attempt % options.urls.length] as string;
    try {
      return await send<T>(options, base, call);
    } catch (error) {
      failure = CarillonError.from(error);
      const again = failure.code === "unavailable" || failure.code === "idempotency_in_progress";
      if (!again || call.signal?.aborted) throw failure;
    }
  }
  throw failure as CarillonError;
}

async function send<T>({ apiKey, fetch }: HttpOptions, base: string, call: HttpRequest) {
  const url = new URL(call.path, base);
  for (const [name, value] of Object.entries(call.query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value));
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const init: RequestInit = {
    method: call.method,
    headers: {
      accept: "application/json",
      ...(call.body === undefined ? {} : { "content-type": "application/json" }),
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
      ...call.headers,
    },
    signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  };
  let response: Response;
  try {
    response = await fetch(url.href, init);
  } catch (cause) {
    if (call.signal?.aborted) throw cause;
    throw new CarillonError("unavailable", { detail: `no answer from ${base}`, cause });
  }
  const text = await response.text();
  if (!response.ok) throw problem(response, text);
  return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as T };
}

function problem(response: Response, text: string): CarillonError {
  let body: { code?: string; detail?: string; title?: string; errors?: FieldError[] } = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy in between answers in its own words.
  }
  const known = body.code !== undefined && body.code in errorCodes;
  const code: ErrorCode = known ? (body.code as ErrorCode) : response.status >= 502 ? "unavailable" : "internal";
  const retryAfter = Number(response.headers.get("retry-after"));
  return new CarillonError(code, {
    detail: body.detail ?? body.title ?? `HTTP ${response.status}`,
    errors: body.errors ?? [],
    ...(retryAfter > 0 ? { retryAfterMs: retryAfter * 1_000 } : {}),
  });
}
