/** `protocol.ts` in protobuf and back, for both sides of the stream. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { AttemptReport, RetryPolicy, TaskErrorCode } from "@carillon/core";
import {
  type Outcome,
  type OutcomeSchema,
  type WorkRequest,
  WorkRequestSchema,
  type WorkResponse,
  WorkResponseSchema,
} from "@carillon/proto";
import type { NodeMessage, ReportedLogLine, ReportedOutcome, WorkerMessage } from "./protocol.ts";

// ------------------------------------------------------------------------------------------------------------- worker → node

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
        retry: retry === null ? "" : JSON.stringify(retry),
        timeoutMs: BigInt(timeoutMs ?? 0),
      }));
      return { case: "hello", value: { ...hello, types: declared } };
    }
    case "capacity":
      return { case: "capacity", value: { slots: message.slots } };
    case "outcomes":
      return { case: "outcomes", value: { outcomes: message.outcomes.map(toOutcome) } };
    case "logs":
      return { case: "logs", value: { lines: message.lines } };
    case "ping":
      return { case: "ping", value: {} };
    case "leaving":
      return { case: "leaving", value: {} };
  }
}

function toOutcome({ report, ...outcome }: ReportedOutcome): MessageInitShape<typeof OutcomeSchema> {
  return { ...outcome, report: toReport(report) };
}

function toReport(report: AttemptReport): NonNullable<MessageInitShape<typeof OutcomeSchema>["report"]> {
  switch (report.kind) {
    case "succeeded":
      return { case: "succeeded", value: { result: report.result ?? "" } };
    case "failed": {
      const { code, name, message, stack } = report.error;
      const retryAfterMs =
        report.retryAfterMs === null ? {} : { retryAfterMs: BigInt(Math.round(report.retryAfterMs)) };
      return {
        case: "failed",
        value: { code, name, message, stack: stack ?? "", retryable: report.retryable, ...retryAfterMs },
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

/** Null for a message of a newer version, which is ignored. */
export function fromWorkRequest({ message }: WorkRequest): WorkerMessage | null {
  switch (message.case) {
    case "hello": {
      const { worker, version, types, queues, labels, slots, held } = message.value;
      const declared = types.map(({ type, queue, retry, timeoutMs }) => ({
        type,
        queue: queue === "" ? null : queue,
        retry: retry === "" ? null : (JSON.parse(retry) as RetryPolicy),
        timeoutMs: timeoutMs === 0n ? null : Number(timeoutMs),
      }));
      return { kind: "hello", hello: { worker, version, types: declared, queues, labels, slots, held } };
    }
    case "capacity":
      return { kind: "capacity", slots: message.value.slots };
    case "outcomes":
      return { kind: "outcomes", outcomes: message.value.outcomes.map(fromOutcome) };
    case "logs":
      return {
        kind: "logs",
        lines: message.value.lines.map((line) => ({ ...line, level: line.level as ReportedLogLine["level"] })),
      };
    case "ping":
      return { kind: "ping" };
    case "leaving":
      return { kind: "leaving" };
    default:
      return null;
  }
}

function fromOutcome({ id, token, waitedMs, ranMs, report }: Outcome): ReportedOutcome {
  return { id, token, waitedMs, ranMs, report: fromReport(report) };
}

function fromReport(report: Outcome["report"]): AttemptReport {
  switch (report.case) {
    case "succeeded":
      return { kind: "succeeded", result: report.value.result === "" ? null : report.value.result };
    case "failed": {
      const { code, name, message, stack, retryable, retryAfterMs } = report.value;
      const error = { code: code as TaskErrorCode, name, message, stack: stack === "" ? null : stack };
      return {
        kind: "failed",
        error,
        retryable,
        retryAfterMs: retryAfterMs === undefined ? null : Number(retryAfterMs),
      };
    }
    case "snoozed":
      return { kind: "snoozed", delayMs: Number(report.value.delayMs) };
    case "discarded":
      return { kind: "discarded", reason: report.value.reason };
    case "cancelled":
      return { kind: "cancelled" };
    // A report of a newer version: the task is tried again rather than guessed about.
    default:
      return { kind: "released" };
  }
}

// ------------------------------------------------------------------------------------------------------------- node → worker

export function toWorkResponse(message: NodeMessage): WorkResponse {
  return create(WorkResponseSchema, { message: responseInit(message) });
}

function responseInit(message: NodeMessage): NonNullable<MessageInitShape<typeof WorkResponseSchema>["message"]> {
  switch (message.kind) {
    case "welcome":
      return { case: "welcome", value: { node: message.node, nodes: message.nodes, now: message.now } };
    case "tasks": {
      const tasks = message.tasks.map((task) => ({
        ...task,
        payload: task.payload ?? "",
        fireAt: task.fireAt ?? 0,
        schedule: task.schedule ?? "",
        timeoutMs: BigInt(task.timeoutMs),
      }));
      return { case: "tasks", value: { tasks } };
    }
    case "recorded":
      return { case: "recorded", value: { outcomes: message.outcomes } };
    case "cancels":
      return {
        case: "cancels",
        value: { cancels: message.cancels.map((cancel) => ({ ...cancel, reason: cancel.reason ?? "" })) },
      };
    case "pong":
      return { case: "pong", value: {} };
    case "lost":
      return { case: "lost", value: { tasks: message.tasks } };
    case "go-elsewhere":
      return { case: "goElsewhere", value: { nodes: message.nodes } };
  }
}

export function fromWorkResponse({ message }: WorkResponse): NodeMessage | null {
  switch (message.case) {
    case "welcome": {
      const { node, nodes, now } = message.value;
      return { kind: "welcome", node, nodes, now };
    }
    case "tasks": {
      const tasks = message.value.tasks.map((task) => ({
        ...task,
        payload: task.payload === "" ? null : task.payload,
        fireAt: task.fireAt === 0 ? null : task.fireAt,
        schedule: task.schedule === "" ? null : task.schedule,
        timeoutMs: Number(task.timeoutMs),
      }));
      return { kind: "tasks", tasks };
    }
    case "recorded":
      return { kind: "recorded", outcomes: message.value.outcomes };
    case "cancels":
      return {
        kind: "cancels",
        cancels: message.value.cancels.map((c) => ({ ...c, reason: c.reason === "" ? null : c.reason })),
      };
    case "pong":
      return { kind: "pong" };
    case "lost":
      return { kind: "lost", tasks: message.value.tasks };
    case "goElsewhere":
      return { kind: "go-elsewhere", nodes: message.value.nodes };
    default:
      return null;
  }
}

// -------------------------------------------------------------------------------------------------------------------- size

/** A message on the wire stays below this; receivers refuse more than four times as much. */
const MAX_BATCH_CHARACTERS = 1024 * 1024;

/** Large batches of outcomes and logs in several messages. */
export function cutWorkerMessage(message: WorkerMessage): WorkerMessage[] {
  if (message.kind === "outcomes") {
    const size = ({ report }: ReportedOutcome) =>
      report.kind === "succeeded"
        ? (report.result?.length ?? 0)
        : report.kind === "failed"
          ? (report.error.stack?.length ?? 0)
          : 0;
    return cut(message.outcomes, size).map((outcomes) => ({ kind: "outcomes", outcomes }));
  }
  if (message.kind === "logs")
    return cut(message.lines, (line) => line.message.length).map((lines) => ({ kind: "logs", lines }));
  return [message];
}

/** Large batches of tasks in several messages. */
export function cutNodeMessage(message: NodeMessage): NodeMessage[] {
  if (message.kind !== "tasks") return [message];
  return cut(message.tasks, (task) => task.payload?.length ?? 0).map((tasks) => ({ kind: "tasks", tasks }));
}

function cut<T>(items: T[], sizeOf: (item: T) => number): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let size = 0;
  for (const item of items) {
    const itemSize = sizeOf(item) + 256;
    if (part.length > 0 && size + itemSize > MAX_BATCH_CHARACTERS) {
      parts.push(part);
      part = [];
      size = 0;
    }
    part.push(item);
    size += itemSize;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
