/** Schema issues as the field errors of a problem document. */
import { CarillonError, type FieldError } from "@carillon/core";
import type { z } from "zod";
import { escapePointer } from "./json.ts";

export type RequestPart = "body" | "query" | "path" | "headers";

/** How many field errors one answer lists. */
const MAX_ERRORS = 100;

/** The parsed value; throws `invalid_request`, or `too_large` where bytes are the only problem. */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: RequestPart = "body",
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  if (value === undefined) {
    throw fieldsInvalid([{ pointer: "", code: "required", message: "The request needs a JSON body." }]);
  }
  throw fieldsInvalid(result.error.issues.flatMap((issue) => toFieldErrors(issue, value, part)));
}

export function fieldsInvalid(errors: FieldError[]): CarillonError {
  const onlyBytes = errors.every(({ code }) => code === "too_large");
  const first = errors[0]!;
  const where = first.pointer ?? first.parameter;
  return new CarillonError(onlyBytes ? "too_large" : "invalid_request", {
    detail: where ? `${where}: ${first.message}` : first.message,
    errors: errors.slice(0, MAX_ERRORS),
  });
}

type Issue = z.core.$ZodIssue;

function toFieldErrors(issue: Issue, value: unknown, part: RequestPart): FieldError[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      ...whereIs([...issue.path, key], part),
      code: "unknown_field",
      message: "There is no such field.",
    }));
  }
  return [{ ...whereIs(issue.path, part), ...describe(issue, valueAt(value, issue.path)) }];
}

function whereIs(path: PropertyKey[], part: RequestPart): { pointer: string } | { parameter: string } {
  if (part !== "body") return { parameter: String(path[0] ?? "").slice(0, 128) };
  return { pointer: path.map((step) => `/${escapePointer(String(step).slice(0, 128))}`).join("") };
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  let found = value;
  for (const step of path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[step];
  return found;
}

function describe(issue: Issue, found: unknown): { code: string; message: string } {
  switch (issue.code) {
    case "invalid_type":
      return found === undefined
        ? { code: "required", message: "This field is required." }
        : { code: "invalid_type", message: `Expected ${typeName(issue.expected)}, got ${typeOf(found)}.` };
    case "too_big":
    case "too_small":
      return describeSize(issue);
    case "invalid_value":
      return found === undefined
        ? { code: "required", message: "This field is required." }
        : { code: "invalid_choice", message: `One of ${issue.values.map(String).join(", ")}.` };
    case "invalid_format":
      return { code: "invalid_format", message: "This text does not have the expected form." };
    case "custom":
      return { code: String(issue.params?.code ?? "invalid"), message: issue.message };
    default:
      return { code: "invalid", message: "This value is not allowed here." };
  }
}

function describeSize(issue: Extract<Issue, { code: "too_big" | "too_small" }>): { code: string; message: string } {
  const small = issue.code === "too_small";
  const bound = `${small ? "at least" : "at most"} ${small ? issue.minimum : issue.maximum}`;
  if (issue.origin === "string") {
    return { code: small ? "too_short" : "too_long", message: `Text of ${bound} characters.` };
  }
  if (issue.origin === "array") return { code: small ? "too_few" : "too_many", message: `A list of ${bound} items.` };
  return { code: "out_of_range", message: `A number of ${bound}.` };
}

function typeName(expected: string): string {
  return expected === "int" ? "a whole number" : /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeName(typeof value);
}
