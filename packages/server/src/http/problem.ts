/** Errors as problem documents (RFC 9457): the one form in which anything is refused, the router's own refusals included. */
import { CarillonError, type ErrorCode, errorCodes, type FieldError } from "@carillon/core";

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  instance: string;
  requestId: string;
  retryable: boolean;
  errors: FieldError[];
}

export interface ProblemAnswer {
  status: number;
  headers: Record<string, string>;
  body: Problem;
}

/** `internal` tells nothing but its request id; whoever calls this logs what happened. */
export function toProblem(error: CarillonError, request: { url: string; id: string }): ProblemAnswer {
  const { http: status, title, retryable } = errorCodes[error.code];
  const headers: Record<string, string> = { "content-type": PROBLEM_TYPE, "cache-control": "no-store" };
  if (status === 429 || status === 503) {
    headers["retry-after"] = String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1_000) / 1_000)));
  }
  return {
    status,
    headers,
    body: {
      type: `/docs/errors#${error.code}`,
      title,
      status,
      code: error.code,
      detail:
        error.code === "internal" ? "Something went wrong here; the request id finds it in the log." : error.message,
      instance: request.url.split("?", 1)[0]!.slice(0, 256),
      requestId: request.id,
      retryable,
      errors: error.errors,
    },
  };
}

/** What Fastify and its parsers throw, as our errors. */
export function fromFastify(caught: unknown): CarillonError {
  if (CarillonError.is(caught)) return caught;
  const { code, statusCode } = caught as { code?: string; statusCode?: number };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new CarillonError("too_large", { detail: "The body is larger than this request may be.", cause: caught });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new CarillonError("unsupported_media_type", {
        detail: "Bodies are JSON: Content-Type: application/json.",
        errors: [{ parameter: "Content-Type", code: "unsupported", message: "application/json is expected." }],
        cause: caught,
      });
    case "FST_ERR_BAD_URL":
      return new CarillonError("not_found", {
        detail: "There is nothing at this path: it is no URL path.",
        cause: caught,
      });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return invalidRequest("The body does not have the announced length.", caught);
  }
  if (statusCode === 404) return new CarillonError("not_found", { cause: caught });
  if (statusCode === 413) return new CarillonError("too_large", { cause: caught });
  if (statusCode === 415) return new CarillonError("unsupported_media_type", { cause: caught });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return invalidRequest("The request could not be read.", caught);
  }
  return CarillonError.from(caught);
}

function invalidRequest(detail: string, cause: unknown): CarillonError {
  return new CarillonError("invalid_request", { detail, cause });
}
