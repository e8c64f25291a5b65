import { observeServerDate } from "./clock.ts";
import { ProblemError, readProblem } from "./problem.ts";

export const API = "/api/v1";

export interface RequestOptions {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** For a POST that only asks. */
  readOnly?: boolean;
}

/** One call of the API. A refusal, and an answer that did not come, is thrown as a `ProblemError`. */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  observeServerDate(response.headers.get("date"));
  const text = await response.text();
  const body = parse(text);
  if (!response.ok) throw new ProblemError(readProblem(body, response.status, response.headers.get("x-request-id")));
  return body as T;
}

async function send(method: string, path: string, options: RequestOptions): Promise<Response> {
  const { body, headers, signal, readOnly = method === "GET" } = options;
  try {
    return await fetch(API + path, {
      method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ProblemError({
      title: "Carillon cannot be reached",
      status: 0,
      code: "unreachable",
      detail: readOnly
        ? "No answer came from the server. Nothing is lost; this page goes on by itself when it is back."
        : "No answer came from the server, so it may or may not have been done. Look here once the server is back, and try again if need be.",
      requestId: null,
      errors: [],
    });
  }
}

function parse(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return text;
  }
}

/** Leaves out what is undefined or empty. */
export function query(parameters: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** For one intention of the user: sent again with the same key, it is carried out once. */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
