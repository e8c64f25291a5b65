/** What goes on page by page, and what workers declared. */
import type { Id, TaskPolicy } from "@carillon/core";
import type { NewTask } from "./new-tasks.ts";

/** What goes on in the background for somebody. `kind` says what `request` (JSON text) and `cursor` mean. */
export interface OperationRecord {
  id: Id;
  namespace: string;
  kind: "backfill" | "bulk";
  state: "running" | "done" | "cancelled";
  scheduleId: Id | null;
  scheduleName: string | null;
  request: string;
  cursor: string | null;
  /** How many things it is about, and what became of those that it has come to. */
  matched: number;
  done: number;
  skipped: number;
  failed: number;
  /** When its next page is due. */
  nextAt: number;
  createdAt: number;
  finishedAt: number | null;
}

export type NewOperation = Pick<OperationRecord, "id" | "namespace" | "kind" | "scheduleId" | "request" | "matched">;

/** What became of a page of an operation that had come to `from`. */
export interface OperationPage {
  from: string | null;
  cursor: string | null;
  done: number;
  skipped: number;
  failed: number;
  finished: boolean;
}

/** The next page of a backfill. */
export interface BackfillPage {
  fires: { fireAt: number; version: number; task: NewTask }[];
  cursor: string | null;
  finished: boolean;
  nextAt: number;
}

export interface TypeDeclaration {
  type: string;
  queue: string | null;
  policy: { retry: TaskPolicy["retry"] | null; timeoutMs: number | null };
}
