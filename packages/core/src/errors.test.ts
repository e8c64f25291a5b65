import { expect, test } from "vitest";
import { CarillonError, type ErrorCode, errorCodes, invalid } from "./errors.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

test("what may be tried again says so by its code, and nothing else does", () => {
  const retryable = codes.filter((code) => errorCodes[code].retryable);
  expect(retryable.sort()).toEqual(["backlog_full", "idempotency_in_progress", "rate_limited", "unavailable"]);
  for (const code of codes) expect(new CarillonError(code).retryable).toBe(errorCodes[code].retryable);
});

test("every code has a status of its class on both protocols", () => {
  const rpcOf: Record<number, string[]> = {
    400: ["invalid_argument"],
    401: ["unauthenticated"],
    403: ["permission_denied"],
    404: ["not_found"],
    405: ["unimplemented"],
    409: ["failed_precondition", "aborted", "already_exists"],
    412: ["failed_precondition"],
    413: ["resource_exhausted"],
    415: ["invalid_argument"],
    429: ["resource_exhausted"],
    500: ["internal"],
    503: ["unavailable"],
  };
  for (const code of codes) {
    const { http, rpc, title } = errorCodes[code];
    expect(rpcOf[http], code).toContain(rpc);
    expect(title, code).toMatch(/^[A-Z][^.]+$/);
  }
});

test("an error carries its facts, and its title when nothing is said", () => {
  const cause = new Error("socket closed");
  const error = new CarillonError("unavailable", {
    detail: "The database does not answer.",
    retryAfterMs: 1_000,
    cause,
  });
  expect(error).toMatchObject({
    code: "unavailable",
    message: "The database does not answer.",
    retryAfterMs: 1_000,
    cause,
    errors: [],
  });
  expect(new CarillonError("lease_lost")).toMatchObject({ message: "Lease lost", retryAfterMs: null });
  expect("cause" in new CarillonError("lease_lost")).toBe(false);
});

test("a caught error of ours stays itself, also from another copy of the package; anything else is internal", () => {
  const own = new CarillonError("task_final");
  expect(CarillonError.from(own)).toBe(own);
  const copy = Object.assign(new Error("Task is final"), { name: "CarillonError", code: "task_final" });
  expect(CarillonError.from(copy)).toBe(copy);
  for (const caught of [new TypeError("x"), "text", null, undefined, { name: "CarillonError", code: "task_final" }]) {
    const error = CarillonError.from(caught);
    expect(error).toMatchObject({ code: "internal", message: "Internal error" });
    expect(error.cause).toBe(caught);
  }
});

test("an invalid field is named by pointer in a body and by name elsewhere", () => {
  expect(invalid("/dueAt", "malformed", "No instant.").errors).toEqual([
    { pointer: "/dueAt", code: "malformed", message: "No instant." },
  ]);
  expect(invalid("", "wrong_type", "No object.").errors).toEqual([
    { pointer: "", code: "wrong_type", message: "No object." },
  ]);
  expect(invalid("pageSize", "too_large", "At most 200.")).toMatchObject({
    code: "invalid_request",
    message: "At most 200.",
    errors: [{ parameter: "pageSize", code: "too_large", message: "At most 200." }],
  });
});
