import { expect, test } from "vitest";
import { readProblem, sortByField } from "./problem.ts";

const problem = readProblem(
  {
    title: "Invalid request",
    code: "invalid_request",
    requestId: "r-1",
    errors: [
      { pointer: "/type", code: "invalid_name", message: "must begin with a letter or digit" },
      { pointer: "/task/payload/url", code: "required", message: "is required" },
      { pointer: "/taskless", code: "unknown_field", message: "is not known" },
      { parameter: "Idempotency-Key", code: "too_long", message: "is too long" },
    ],
  },
  400,
  null,
);

test("each message stands at its field, deeper ones at the field that holds them", () => {
  const { byField, others } = sortByField(problem, ["/type", "/task", "/task/payload"]);
  expect(byField).toEqual({ "/type": ["must begin with a letter or digit"], "/task/payload": ["/url: is required"] });
  expect(others.map((error) => error.pointer ?? error.parameter)).toEqual(["/taskless", "Idempotency-Key"]);
});

test("an answer without a readable body still tells its status and request", () => {
  expect(readProblem("<html>", 502, "r-2")).toEqual({
    title: "The server answered 502",
    status: 502,
    code: "unexpected",
    detail: null,
    requestId: "r-2",
    errors: [],
  });
});
