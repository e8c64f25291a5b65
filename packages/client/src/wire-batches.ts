/** Batches that are cut, so that no message on the wire becomes larger than its receiver takes. */
import type { AttemptReport } from "@carillon/core";
import type { NodeMessage, WorkerMessage } from "./protocol.ts";

/** What a receiver takes. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_BATCH_BYTES = 1024 * 1024;
/** An item's numbers, names and framing. */
const ITEM_BYTES = 128;

export function cutWorkerMessage(message: WorkerMessage): WorkerMessage[] {
  switch (message.kind) {
    case "outcomes":
      return cut(message.outcomes, ({ report }) => textOfReport(report)).map((outcomes) => ({
        kind: "outcomes",
        outcomes,
      }));
    case "logs":
      return cut(message.lines, (line) => [line.message]).map((lines) => ({ kind: "logs", lines }));
    case "progress":
      return cut(message.reports, (report) => [report.message]).map((reports) => ({ kind: "progress", reports }));
    default:
      return [message];
  }
}

export function cutNodeMessage(message: NodeMessage): NodeMessage[] {
  switch (message.kind) {
    case "tasks":
      return cut(message.tasks, ({ payload, parents, type, queue, schedule, namespace, workflow }) => [
        payload,
        parents ?? null,
        type,
        queue,
        schedule,
        namespace,
        workflow?.key ?? null,
      ]).map((tasks) => ({ kind: "tasks", tasks }));
    case "cancels":
      return cut(message.cancels, ({ reason }) => [reason]).map((cancels) => ({ kind: "cancels", cancels }));
    default:
      return [message];
  }
}

function textOfReport(report: AttemptReport): (string | null)[] {
  switch (report.kind) {
    case "succeeded":
      return [report.result];
    case "failed":
      return [report.error.name, report.error.message, report.error.stack];
    case "discarded":
      return [report.reason];
    default:
      return [];
  }
}

function cut<T>(items: T[], textOf: (item: T) => (string | null)[]): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const itemBytes = textOf(item).reduce((sum, text) => sum + Buffer.byteLength(text ?? ""), ITEM_BYTES);
    if (part.length > 0 && bytes + itemBytes > MAX_BATCH_BYTES) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += itemBytes;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
