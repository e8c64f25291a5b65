/** What a failed statement means to its caller. */
import { CarillonError, invalid } from "@carillon/core";

/** PostgreSQL's code of an error, e.g. `23505`; null for anything else. */
export function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !("severity" in error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** Whether a statement that failed this way may have taken effect all the same: its connection broke before the answer. */
export function isUnknown(error: unknown): boolean {
  return CarillonError.is(error) && causeOf(error)?.sent === true;
}

/** Whether its connection is of no more use: gone, or to a server that has become a standby. */
export function isBroken(error: unknown): boolean {
  return CarillonError.is(error) && causeOf(error)?.broken === true;
}

/** Whether another transaction held a lock for longer than `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return CarillonError.is(error) && error.cause instanceof Error && sqlState(error.cause.cause) === "55P03";
}

/** Whether the database had no room left to write. */
export function isDiskFull(error: unknown): boolean {
  return CarillonError.is(error) && error.cause instanceof Error && sqlState(error.cause.cause) === DISK_FULL;
}

/** Whether the other side did not like how the connection began; poolers say everything of their own this way. */
export function isProtocolViolation(error: unknown): boolean {
  return CarillonError.is(error) && error.cause instanceof Error && sqlState(error.cause.cause) === "08P01";
}

/** Two transactions were in each other's way, and this one gave in. */
export function isDeadlock(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40P01" || state === "40001";
}

/** The connection is refused or gone, the server shuts down, recovers, is full, read-only, or somebody holds a lock for too long. */
const unavailableStates = /^(08|53|58|57P|57014|55P03|25006|25P03)/;
/** Of these, those after which nothing of the statement remains. */
const refusedStates = /^(53|58|57014|55P03|25006)/;
const DISK_FULL = "53100";
/** Of those, the one after which the connection leads nowhere either. */
const STANDBY = "25006";

/** Anything that a connection can throw, as callers shall see it. `sent`: a statement was on its way. */
export function translate(error: unknown, sent = false): unknown {
  if (CarillonError.is(error) || error instanceof TypeError || error instanceof RangeError) return error;
  const state = sqlState(error);
  if (state === null) return unavailable(error, { sent, broken: true });
  if (!unavailableStates.test(state)) return error;
  if (refusedStates.test(state)) return unavailable(error, { sent: false, broken: state === STANDBY });
  return unavailable(error, { sent, broken: true });
}

interface Cause {
  sent: boolean;
  broken: boolean;
}

export function unavailable(error: unknown, cause: Cause): CarillonError {
  // A name with several addresses fails with an error for each.
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
  const reason = first instanceof Error && first.message ? first.message : String(first);
  return new CarillonError("unavailable", {
    detail: sqlState(error) === DISK_FULL ? "The database's disk is full." : "The database does not answer.",
    retryAfterMs: 1_000,
    cause: Object.assign(new Error(reason, { cause: error }), cause),
  });
}

function causeOf(error: CarillonError): Partial<Cause> | undefined {
  return error.cause as Partial<Cause> | undefined;
}

/** Everything that can be checked is checked before; what PostgreSQL alone refuses (22: data) is the caller's fault all the same. */
export function refusalOf(error: unknown): unknown {
  if (!sqlState(error)?.startsWith("22")) return error;
  return invalid("", "not_storable", `The database cannot store this: ${(error as Error).message}.`);
}
