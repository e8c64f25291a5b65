/**
 * One error class and one closed table of codes. REST status, gRPC status and the wording of the title all come from here, and
 * `docs/reference/errors.md` is kept equal to it by a test. Tell errors apart by `code`, never by message or `instanceof`.
 */
export const errorCodes = {
  invalid_request: { http: 400, rpc: "invalid_argument", title: "Invalid request", retryable: false },
  unauthenticated: { http: 401, rpc: "unauthenticated", title: "Not authenticated", retryable: false },
  permission_denied: { http: 403, rpc: "permission_denied", title: "Not permitted", retryable: false },
  not_found: { http: 404, rpc: "not_found", title: "Not found", retryable: false },
  task_not_found: { http: 404, rpc: "not_found", title: "Task not found", retryable: false },
  schedule_not_found: { http: 404, rpc: "not_found", title: "Schedule not found", retryable: false },
  operation_not_found: { http: 404, rpc: "not_found", title: "Operation not found", retryable: false },
  calendar_not_found: { http: 404, rpc: "not_found", title: "Calendar not found", retryable: false },
  workflow_not_found: { http: 404, rpc: "not_found", title: "Workflow not found", retryable: false },
  method_not_allowed: { http: 405, rpc: "unimplemented", title: "Method not allowed", retryable: false },
  task_final: { http: 409, rpc: "failed_precondition", title: "Task is final", retryable: false },
  task_running: { http: 409, rpc: "failed_precondition", title: "Task is running", retryable: false },
  workflow_final: { http: 409, rpc: "failed_precondition", title: "Workflow has ended", retryable: false },
  operation_final: { http: 409, rpc: "failed_precondition", title: "Operation has ended", retryable: false },
  lease_lost: { http: 409, rpc: "aborted", title: "Lease lost", retryable: false },
  unique_conflict: { http: 409, rpc: "already_exists", title: "Unique key is taken", retryable: false },
  schedule_exists: { http: 409, rpc: "already_exists", title: "Schedule exists", retryable: false },
  calendar_in_use: { http: 409, rpc: "failed_precondition", title: "Calendar is in use", retryable: false },
  idempotency_key_reused: { http: 409, rpc: "failed_precondition", title: "Idempotency key reused", retryable: false },
  idempotency_in_progress: { http: 409, rpc: "aborted", title: "Request in progress", retryable: true },
  version_mismatch: { http: 412, rpc: "failed_precondition", title: "Version mismatch", retryable: false },
  too_large: { http: 413, rpc: "resource_exhausted", title: "Too large", retryable: false },
  unsupported_media_type: { http: 415, rpc: "invalid_argument", title: "Unsupported media type", retryable: false },
  backlog_full: { http: 429, rpc: "resource_exhausted", title: "Backlog is full", retryable: true },
  rate_limited: { http: 429, rpc: "resource_exhausted", title: "Too many requests", retryable: true },
  internal: { http: 500, rpc: "internal", title: "Internal error", retryable: false },
  unavailable: { http: 503, rpc: "unavailable", title: "Unavailable", retryable: true },
} as const satisfies Record<string, { http: number; rpc: string; title: string; retryable: boolean }>;

export type ErrorCode = keyof typeof errorCodes;

/** One thing wrong with a request. `pointer` is a JSON pointer into the body, `parameter` names a query parameter or header. */
export interface FieldError {
  pointer?: string;
  parameter?: string;
  /** What is wrong with this field, e.g. `required`, `unknown_field`, `too_long`, `unknown_time_zone`, `cron_never_fires`. */
  code: string;
  message: string;
}

export interface ErrorFacts {
  /** One sentence for a person. Never holds a stack, SQL or another namespace's data. */
  detail?: string;
  errors?: FieldError[];
  /** When trying again makes sense; sent as `Retry-After`. */
  retryAfterMs?: number;
  cause?: unknown;
}

export class CarillonError extends Error {
  readonly code: ErrorCode;
  readonly errors: FieldError[];
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, facts: ErrorFacts = {}) {
    super(facts.detail ?? errorCodes[code].title, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "CarillonError";
    this.code = code;
    this.errors = facts.errors ?? [];
    this.retryAfterMs = facts.retryAfterMs ?? null;
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }

  /** Whatever was caught, as a CarillonError: unknown things become `internal`, with the original as `cause`. */
  static from(caught: unknown): CarillonError {
    if (CarillonError.is(caught)) return caught;
    return new CarillonError("internal", { cause: caught });
  }

  /** Works across copies of this package, where `instanceof` would not. */
  static is(value: unknown): value is CarillonError {
    return value instanceof Error && value.name === "CarillonError" && "code" in value;
  }
}

/** An `invalid_request` about one field. `field` is a JSON pointer (`/dueAt`) or, without a slash, a parameter's name. */
export function invalid(field: string, code: string, message: string): CarillonError {
  const where = field === "" || field.startsWith("/") ? { pointer: field } : { parameter: field };
  return new CarillonError("invalid_request", { detail: message, errors: [{ ...where, code, message }] });
}
