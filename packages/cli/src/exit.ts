/** Exit codes, and what is said when a command fails. */
import { CarillonError, type ErrorCode, WaitTimeoutError } from "@carillon/client";
import { say } from "./output.ts";

/** Also printed by `--help` and in the reference. */
export const exitCodes = {
  0: "ok",
  1: "the task failed; the port is taken; `doctor` found something",
  2: "wrong usage or an invalid request",
  3: "not found",
  4: "conflict",
  5: "not authenticated or not permitted",
  6: "unreachable, busy or a server error",
  7: "the wait ran out",
} as const;

export const FAILED = 1;
export const USAGE = 2;
const NOT_FOUND = 3;
const CONFLICT = 4;
const AUTH = 5;
const SERVER = 6;
const WAIT_RAN_OUT = 7;

const byCode: Partial<Record<ErrorCode, number>> = {
  invalid_request: USAGE,
  too_large: USAGE,
  unsupported_media_type: USAGE,
  method_not_allowed: USAGE,
  not_found: NOT_FOUND,
  task_not_found: NOT_FOUND,
  schedule_not_found: NOT_FOUND,
  operation_not_found: NOT_FOUND,
  calendar_not_found: NOT_FOUND,
  workflow_not_found: NOT_FOUND,
  task_final: CONFLICT,
  task_running: CONFLICT,
  operation_final: CONFLICT,
  workflow_final: CONFLICT,
  lease_lost: CONFLICT,
  unique_conflict: CONFLICT,
  schedule_exists: CONFLICT,
  calendar_in_use: CONFLICT,
  idempotency_key_reused: CONFLICT,
  version_mismatch: CONFLICT,
  unauthenticated: AUTH,
  permission_denied: AUTH,
};

/** A condition of this machine that a command cannot work with, such as a taken port. */
export class StartError extends Error {}

export function exitCodeOf(error: unknown): number {
  if (error instanceof StartError) return FAILED;
  if (error instanceof WaitTimeoutError) return WAIT_RAN_OUT;
  return CarillonError.is(error) ? (byCode[error.code] ?? SERVER) : SERVER;
}

export function sayError(error: unknown): void {
  const [message, ...details] = explain(error);
  say(`error: ${message}`);
  for (const detail of details) say(`  ${detail}`);
}

/** Why a database does not answer is in the cause. (A client's cause, a TypeError of `fetch`, says nothing.) */
export function withReason(error: Error): string {
  const { message, cause } = error;
  if (!CarillonError.is(error) || error.code !== "unavailable" || !(cause instanceof Error)) return message;
  if (cause instanceof TypeError) return message;
  return message.includes(cause.message) ? message : `${message.replace(/\.$/, "")}: ${cause.message}`;
}

function explain(error: unknown): string[] {
  if (CarillonError.is(error)) {
    if (error.code === "internal" && error.cause !== undefined) return explain(error.cause);
    // One field's message is the error's own.
    const fields = error.errors.length > 1 ? error.errors : [];
    return [
      withReason(error),
      ...fields.map(({ pointer, parameter, message }) => `${pointer ?? parameter}: ${message}`),
    ];
  }
  if (error instanceof AggregateError && error.errors.length > 0) return explain(error.errors[0]);
  if (!(error instanceof Error)) return [String(error)];
  const isBug = [TypeError, ReferenceError, RangeError].some((kind) => error instanceof kind);
  return [isBug && error.stack !== undefined ? error.stack : error.message];
}
