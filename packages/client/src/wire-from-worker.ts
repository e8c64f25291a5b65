/**
 * What a worker says, in protobuf and back. A node reads messages of workers in any language, so that nothing in them is taken on trust:
 * a hello that makes no sense is refused, and what comes later is brought within the limits, so that it can be stored and shown.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { AttemptReport, RetryPolicy } from "@carillon/core";
import { formatDuration } from "@carillon/core/duration";
import { invalid } from "@carillon/core/errors";
import { labelValueProblem, WORKER_LABEL } from "@carillon/core/labels";
import { isName, limits } from "@carillon/core/limits";
import { type TaskErrorCode, taskErrorCodes } from "@carillon/core/outcome";
import { backoffKinds } from "@carillon/core/retry";
import {
  type Hello as HelloMessage,
  type Outcome,
  type OutcomeSchema,
  type TaskType,
  type WorkRequest,
  WorkRequestSchema,
} from "@carillon/proto";
import type { DeclaredType, Hello, ReportedLogLine, ReportedOutcome, TaskRef, WorkerMessage } from "./protocol.ts";
import { resultProblem } from "./result.ts";
import { type RetryOptions, toRetryPolicy } from "./retry-options.ts";
import { clip } from "./text.ts";

const MAX_SLOTS = 10_000;
const MAX_NAMES = 10_000;
const LAST_INSTANT = Date.UTC(9999, 11, 31);
const levels: readonly string[] = ["debug", "info", "warn", "error"];

// -------------------------------------------------------------------------------------------------------------------- writing

export function toWorkRequest(message: WorkerMessage): WorkRequest {
  return create(WorkRequestSchema, { message: requestInit(message) });
}

function requestInit(message: WorkerMessage): NonNullable<MessageInitShape<typeof WorkRequestSchema>["message"]> {
  switch (message.kind) {
    case "hello": {
      const { types, ...hello } = message.hello;
      const declared = types.map(({ type, queue, retry, timeoutMs }) => ({
        type,
        queue: queue ?? "",
        retry: retry === null ? "" : JSON.stringify(retryOptions(retry)),
        timeoutMs: BigInt(timeoutMs ?? 0),
      }));
      return { case: "hello", value: { ...hello, types: declared } };
    }
    case "capacity":
      return { case: "capacity", value: { slots: message.slots } };
    case "outcomes":
      return { case: "outcomes", value: { outcomes: message.outcomes.map(outcomeInit) } };
    case "logs":
      return { case: "logs", value: { lines: message.lines } };
    case "progress": {
      const reports = message.reports.map((report) => ({ ...report, message: report.message ?? "" }));
      return { case: "progress", value: { reports } };
    }
    case "ping":
      return { case: "ping", value: {} };
    case "leaving":
      return { case: "leaving", value: {} };
  }
}

function retryOptions({ maxAttempts, backoff: { initialMs, maxMs, ...backoff } }: RetryPolicy): RetryOptions {
  return {
    maxAttempts,
    backoff: { ...backoff, initial: formatDuration(initialMs), max: formatDuration(maxMs) },
  };
}

/** Field by field: a copy of the rest costs several microseconds. */
function outcomeInit(outcome: ReportedOutcome): MessageInitShape<typeof OutcomeSchema> {
  const { id, token, report, waitedMs, ranMs, keptMs } = outcome;
  return { id, token, waitedMs, ranMs, keptMs, report: reportInit(report) };
}

function reportInit(report: AttemptReport): NonNullable<MessageInitShape<typeof OutcomeSchema>["report"]> {
  switch (report.kind) {
    case "succeeded":
      return { case: "succeeded", value: { result: report.result ?? "" } };
    case "failed": {
      const { code, name, message, stack } = report.error;
      const after = report.retryAfterMs === null ? {} : { retryAfterMs: BigInt(Math.round(report.retryAfterMs)) };
      return {
        case: "failed",
        value: { code, name, message, stack: stack ?? "", retryable: report.retryable, ...after },
      };
    }
    case "snoozed":
      return { case: "snoozed", value: { delayMs: BigInt(Math.round(report.delayMs)) } };
    case "discarded":
      return { case: "discarded", value: { reason: report.reason } };
    case "cancelled":
      return { case: "cancelled", value: {} };
    case "released":
      return { case: "released", value: {} };
  }
}

// -------------------------------------------------------------------------------------------------------------------- reading

/** Null for a message of a newer version, which is ignored. Throws `invalid_request` for a hello that cannot be served. */
export function fromWorkRequest({ message }: WorkRequest): WorkerMessage | null {
  switch (message.case) {
    case "hello":
      return { kind: "hello", hello: readHello(message.value) };
    case "capacity":
      return { kind: "capacity", slots: within(message.value.slots, 0, MAX_SLOTS) };
    case "outcomes":
      return { kind: "outcomes", outcomes: message.value.outcomes.map(readOutcome) };
    case "logs":
      return {
        kind: "logs",
        lines: message.value.lines
          .filter(({ at }) => at >= 0 && at <= LAST_INSTANT)
          .map(({ id, token, at, level, message: text, attempt }) => ({
            id,
            token,
            at,
            attempt,
            level: (levels.includes(level) ? level : "info") as ReportedLogLine["level"],
            message: clip(text, limits.logLineBytes),
          })),
      };
    case "progress":
      return {
        kind: "progress",
        reports: message.value.reports.map(({ id, token, fraction, message: text }) => ({
          id,
          token,
          fraction: within(fraction, 0, 1),
          message: text === "" ? null : clip(text, limits.progressMessageBytes),
        })),
      };
    case "ping":
      return { kind: "ping" };
    case "leaving":
      return { kind: "leaving" };
    default:
      return null;
  }
}

function readHello({ worker, version, types, queues, labels, slots, held }: HelloMessage): Hello {
  if (!isName(worker)) throw invalid("/worker", "invalid_name", "a worker has a name");
  if (types.length > MAX_NAMES || queues.length > MAX_NAMES)
    throw invalid("/types", "too_many", `a worker has at most ${MAX_NAMES} types and queues`);
  if (!queues.every(isName)) throw invalid("/queues", "invalid_name", "a queue has a name");
  const entries = Object.entries(labels);
  const wrong = entries.find(
    ([key, value]) => !isName(key) || key === WORKER_LABEL || labelValueProblem(value) !== null,
  );
  if (entries.length > limits.labels || wrong)
    throw invalid(
      "/labels",
      "invalid",
      `at most ${limits.labels} labels; keys are names other than ${WORKER_LABEL}, values have at most ${limits.labelLength} characters`,
    );
  return {
    worker,
    version: clip(version, 64),
    types: types.map(readType),
    queues,
    labels: Object.fromEntries(entries),
    slots: within(slots, 0, MAX_SLOTS),
    held: held.map(readRef),
  };
}

function readType({ type, queue, retry, timeoutMs }: TaskType): DeclaredType {
  if (!isName(type)) throw invalid("/types", "invalid_name", "a task type has a name");
  if (queue !== "" && !isName(queue)) throw invalid("/types/queue", "invalid_name", "a queue has a name");
  const [shortest, longest] = limits.timeoutMs;
  return {
    type,
    queue: queue === "" ? null : queue,
    retry: retry === "" ? null : readRetry(retry),
    timeoutMs: timeoutMs === 0n ? null : within(Number(timeoutMs), shortest, longest),
  };
}

function readRetry(json: string): RetryPolicy {
  const refuse = () => invalid("/types/retry", "invalid", "a retry policy as in REST, as JSON text");
  let options: RetryOptions;
  try {
    options = JSON.parse(json) as RetryOptions;
  } catch {
    throw refuse();
  }
  if (typeof options !== "object" || options === null) throw refuse();
  const { maxAttempts, backoff } = toRetryPolicy(options);
  const [shortest, longest] = limits.backoffMs;
  const inRange = (value: unknown, least: number, most: number) =>
    typeof value === "number" && value >= least && value <= most;
  const valid =
    inRange(maxAttempts, 1, limits.maxAttempts) &&
    Number.isInteger(maxAttempts) &&
    inRange(backoff.initialMs, shortest, longest) &&
    inRange(backoff.maxMs, shortest, longest) &&
    inRange(backoff.factor, 1, 100) &&
    backoffKinds.includes(backoff.kind) &&
    ["full", "none"].includes(backoff.jitter);
  if (!valid) throw refuse();
  const { kind, initialMs, factor, maxMs, jitter } = backoff;
  return { maxAttempts, backoff: { kind, initialMs, factor, maxMs, jitter } };
}

function readOutcome({ id, token, waitedMs, ranMs, keptMs, report }: Outcome): ReportedOutcome {
  return {
    id,
    token,
    waitedMs: within(waitedMs, 0, limits.timeoutMs[1]),
    ranMs: within(ranMs, 0, 2 * limits.timeoutMs[1]),
    keptMs: within(keptMs, 0, limits.timeoutMs[1]),
    report: readReport(report),
  };
}

function readReport(report: Outcome["report"]): AttemptReport {
  switch (report.case) {
    case "succeeded":
      return readResult(report.value.result);
    case "failed": {
      const { code, name, message, stack, retryable, retryAfterMs } = report.value;
      return {
        kind: "failed",
        error: {
          code: taskErrorCodes.includes(code as TaskErrorCode) ? (code as TaskErrorCode) : "handler_error",
          name: clip(name, limits.reasonBytes),
          message: clip(message, limits.logLineBytes),
          stack: stack === "" ? null : clip(stack, limits.errorStackBytes),
        },
        retryable,
        retryAfterMs: retryAfterMs === undefined ? null : within(Number(retryAfterMs), 0, limits.delayMs[1]),
      };
    }
    case "snoozed":
      return { kind: "snoozed", delayMs: within(Number(report.value.delayMs), 0, limits.delayMs[1]) };
    case "discarded":
      return { kind: "discarded", reason: clip(report.value.reason, limits.reasonBytes) };
    case "cancelled":
      return { kind: "cancelled" };
    // A report of a newer version: the task is tried again rather than guessed about.
    default:
      return { kind: "released" };
  }
}

/** A result that could not be stored or read back fails the task. */
function readResult(result: string): AttemptReport {
  if (result === "") return { kind: "succeeded", result: null };
  try {
    const problem = resultProblem(result);
    if (problem) return refused(problem.code, problem.message);
    JSON.parse(result);
    return { kind: "succeeded", result };
  } catch {
    return refused("handler_error", "the worker's result is not JSON");
  }
}

function refused(code: TaskErrorCode, message: string): AttemptReport {
  return { kind: "failed", error: { code, name: "Error", message, stack: null }, retryable: false, retryAfterMs: null };
}

export function readRef({ id, token }: TaskRef): TaskRef {
  return { id, token };
}

/** The least for what is no number. */
function within(value: number, least: number, most: number): number {
  return value >= least ? Math.min(value, most) : least;
}
