/** A task type: its name, how it is tried, what its payload looks like, and the code that runs it. */
import { CarillonError, invalid } from "@carillon/core/errors";
import { isName } from "@carillon/core/limits";
import type { RetryOptions } from "./retry-options.ts";

/** Any Standard Schema (zod, valibot, arktype …): https://standardschema.dev, version 1. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        message: string;
        path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined;
      }[];
    };

/** What is no text is written as JSON, an error with its stack; several parts make one line. */
export interface TaskLog {
  debug(...parts: unknown[]): void;
  info(...parts: unknown[]): void;
  warn(...parts: unknown[]): void;
  error(...parts: unknown[]): void;
}

/** What a handler knows about its attempt. */
export interface TaskContext {
  taskId: string;
  type: string;
  queue: string;
  /** Numbers the starts, lost ones too; 1 for the first. */
  attempt: number;
  /** The same for all attempts of a task: give it to the systems you call. */
  idempotencyKey: string;
  /** Grows with every change of holder; a system you call can refuse an older one. */
  fencingToken: string;
  dueAt: Date;
  /** The schedule's instant that this task stands for; null when no schedule made it. */
  fireAt: Date | null;
  schedule: string | null;
  /**
   * Of a task that comes after others, the results of those that succeeded: by their keys in a workflow, else by their ids. In the order of
   * `after`, as far as they fit into 256 KiB; pass references to what is large. Otherwise empty.
   */
  parents: Readonly<Record<string, unknown>>;
  /** Lines are kept with the task and can be followed live. */
  log: TaskLog;
  /** Fires when the attempt should stop: cancelled, timed out, lease lost, worker stopping. Its reason is an `AttemptAborted`. */
  signal: AbortSignal;
}

export interface TaskOptions<Payload, Result> {
  /** Checked when a task is created through this definition and again before it runs. */
  schema?: StandardSchema<Payload>;
  /** Default `default`. */
  queue?: string;
  /** Default: 5 attempts, exponential from 1 s, doubling up to 10 min, full jitter. */
  retry?: RetryOptions;
  /** How long one attempt may take, e.g. `5m`. Default `1h`. */
  timeout?: string;
  /** Returns the result (JSON). Throwing fails the attempt; see `RetryAfter`, `Snooze`, `Fatal`, `Discard`. */
  run: (payload: Payload, context: TaskContext) => Result | Promise<Result>;
}

export interface TaskDefinition<Payload = unknown, Result = unknown> extends TaskOptions<Payload, Result> {
  readonly type: string;
}

/** Definitions of any payload and result, as a worker takes them. */
// biome-ignore lint/suspicious/noExplicitAny: a list of definitions mixes payload types, which only each handler knows
export type AnyTask = TaskDefinition<any, any>;

export function task<Payload = unknown, Result = unknown>(
  type: string,
  options: TaskOptions<Payload, Result>,
): TaskDefinition<Payload, Awaited<Result>> {
  if (!isName(type))
    throw invalid("/type", "invalid_name", `"${type}" is not a name: letters, digits, dots, dashes, underscores`);
  return { type, ...options } as TaskDefinition<Payload, Awaited<Result>>;
}

/** The payload as the schema gives it back; `invalid_request` with a pointer below `at` for each issue when it does not fit. */
export async function checkPayload<Payload>(
  schema: StandardSchema<Payload> | undefined,
  payload: unknown,
  at = "/payload",
): Promise<Payload> {
  if (!schema) return payload as Payload;
  const result = await schema["~standard"].validate(payload);
  if (!result.issues) return result.value;
  const errors = result.issues.map(({ message, path = [] }) => ({
    pointer: at + path.map((part) => `/${escapePointer(String(typeof part === "object" ? part.key : part))}`).join(""),
    code: "invalid_payload",
    message,
  }));
  throw new CarillonError("invalid_request", { detail: errors[0]?.message ?? "invalid payload", errors });
}

function escapePointer(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}
