/** `application/problem+json`, as every refusal of the API is. */
export interface Problem {
  title: string;
  /** 0 when no answer came at all. */
  status: number;
  code: string;
  detail: string | null;
  requestId: string | null;
  errors: FieldProblem[];
}

export interface FieldProblem {
  /** JSON pointer into the body. */
  pointer?: string | undefined;
  /** Name of a query parameter or header. */
  parameter?: string | undefined;
  code: string;
  message: string;
}

export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { title: "Something went wrong", status: 0, code: "unexpected", detail, requestId: null, errors: [] };
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.status === 404;
}

/** What a refusal without a readable body is told as. */
export function readProblem(body: unknown, status: number, requestId: string | null): Problem {
  const told = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (key: string) => (typeof told[key] === "string" ? (told[key] as string) : null);
  return {
    title: text("title") ?? `The server answered ${status}`,
    status,
    code: text("code") ?? "unexpected",
    detail: text("detail"),
    requestId: text("requestId") ?? requestId,
    errors: Array.isArray(told.errors) ? (told.errors as FieldProblem[]) : [],
  };
}

/**
 * Sorts what is wrong by the form's fields: each goes to the field with the longest pointer that contains it (`/payload/url` to
 * `/payload`), the rest belongs to the whole form.
 */
export function sortByField(problem: Problem | null, fields: readonly string[]): FieldMessages {
  const byField: Record<string, string[]> = {};
  const others: FieldProblem[] = [];
  for (const error of problem?.errors ?? []) {
    const field = fields
      .filter((candidate) => error.pointer === candidate || error.pointer?.startsWith(`${candidate}/`))
      .sort((a, b) => b.length - a.length)[0];
    if (field === undefined) others.push(error);
    else {
      const inside = error.pointer === field ? "" : `${error.pointer?.slice(field.length)}: `;
      (byField[field] ??= []).push(inside + error.message);
    }
  }
  return { byField, others };
}

export interface FieldMessages {
  byField: Record<string, string[]>;
  others: FieldProblem[];
}
