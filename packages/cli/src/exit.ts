/** 0 ok, 1 the task failed, 2 usage, 3 not found, 4 conflict, 5 auth, 6 unreachable, busy or server error, 7 a wait ran out. */
import { CarillonError, type ErrorCode, TaskFailedError, WaitTimeoutError } from "@carillon/client";

export const TASK_FAILED = 1;
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
  task_final: CONFLICT,
  task_running: CONFLICT,
  lease_lost: CONFLICT,
  unique_conflict: CONFLICT,
  schedule_exists: CONFLICT,
  idempotency_key_reused: CONFLICT,
  version_mismatch: CONFLICT,
  unauthenticated: AUTH,
  permission_denied: AUTH,
};

/** Says what went wrong on stderr and sets the exit code; the process ends when nothing is left to do. */
export function exitWith(error: unknown): void {
  process.exitCode = exitCodeOf(error);
  if (CarillonError.is(error) && error.code !== "internal") {
    console.error(`error: ${error.message}`);
    for (const { pointer, parameter, message } of error.errors) {
      if (message !== error.message || error.errors.length > 1) console.error(`  ${pointer ?? parameter}: ${message}`);
    }
  } else {
    console.error(error instanceof Error ? `error: ${error.message}` : error);
    if (CarillonError.is(error) && error.cause) console.error(error.cause);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof TaskFailedError) return TASK_FAILED;
  if (error instanceof WaitTimeoutError) return WAIT_RAN_OUT;
  return CarillonError.is(error) ? (byCode[error.code] ?? SERVER) : SERVER;
}
