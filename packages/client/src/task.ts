/** A task type: its name, how it is tried, what its payload looks like, and the code that runs it. */
import { CarillonError, invalid } from "@carillon/core/errors";
import { isName } from "@carillon/core/limits";
import { type BatchOptions, checkBatch, runAlone } from "./batch.ts";
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
  /** Of a task of a workflow: which, and its key there, for `workflows.add`. Otherwise null. */
  workflow: { id: string; key: string } | null;
  /** Lines are kept with the task and can be followed live. */
  log: TaskLog;
  /**
   * Says how far it has come, from 0 to 1, perhaps in words (1 KiB at most): shown with the task. May be called as often as one likes; the
   * latest is sent about once a second. Throws a `TypeError` for what is no number.
   */
  progress: (fraction: number, message?: string) => void;
  /** Fires when the attempt should stop: cancelled, timed out, lease lost, worker stopping. Its reason is an `AttemptAborted`. */
  signal: AbortSignal;
}

interface TypeOptions<Payload> {
  /** Checked when a task is created through this definition and again before it runs. */
  schema?: StandardSchema<Payload>;
  /** Default `default`. */
  queue?: string;
  /** Default: 5 attempts, exponential from 1 s, doubling up to 10 min, full jitter. */
  retry?: RetryOptions;
  /** How long one attempt may take, e.g. `5m`. Default `1h`. */
  timeout?: string;
  /**
   * `import.meta.url`, the address of the module that exports this definition: its handler then runs in a thread of its own, which imports
   * that module, so that code that blocks keeps nobody else waiting. One that does not stop within 5 s of its signal is ended with its
   * thread. Default: on the worker's own event loop, as the others.
   */
  thread?: string | URL;
}

export interface TaskOptions<Payload, Result> extends TypeOptions<Payload> {
  /** Returns the result (JSON). Throwing fails the attempt; see `RetryAfter`, `Snooze`, `Fatal`, `Discard`. */
  run: (payload: Payload, context: TaskContext) => Result | Promise<Result>;
}

export interface BatchTaskOptions<Payload, Result> extends TypeOptions<Payload> {
  batch: BatchOptions;
  /**
   * Returns an outcome for each task, in their order: its result (JSON), or an error that fails this one alone (`RetryAfter`, `Snooze`,
   * `Fatal`, `Discard` say how). Throwing fails them all. Each context has the signal of its task.
   */
  runMany: (
    payloads: Payload[],
    contexts: TaskContext[],
  ) => readonly (Result | Error)[] | Promise<readonly (Result | Error)[]>;
}

export interface TaskDefinition<Payload = unknown, Result = unknown> extends TaskOptions<Payload, Result> {
  readonly type: string;
  /** Of a type whose tasks are handed to one call; `run` then takes one by itself. */
  readonly batch?: BatchOptions;
  readonly runMany?: BatchTaskOptions<Payload, Result>["runMany"];
}

/** Definitions of any payload and result, as a worker takes them. */
// biome-ignore lint/suspicious/noExplicitAny: a list of definitions mixes payload types, which only each handler knows
export type AnyTask = TaskDefinition<any, any>;

export function task<Payload = unknown, Result = unknown>(
  type: string,
  options: BatchTaskOptions<Payload, Result>,
): TaskDefinition<Payload, Exclude<Awaited<Result>, Error>>;
export function task<Payload = unknown, Result = unknown>(
  type: string,
  options: TaskOptions<Payload, Result>,
): TaskDefinition<Payload, Awaited<Result>>;
// biome-ignore lint/suspicious/noExplicitAny: as `AnyTask`, for which the two above vouch
export function task(type: string, options: TaskOptions<any, any> | BatchTaskOptions<any, any>): AnyTask {
  if (!isName(type))
    throw invalid("/type", "invalid_name", `"${type}" is not a name: letters, digits, dots, dashes, underscores`);
  if (!("runMany" in options)) return { type, ...options };
  checkBatch(options.batch);
  return { type, ...options, run: runAlone(options.runMany) };
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
