/**
 * What a worker and a node say to each other. In process these objects pass as they are; between processes they travel as
 * `carillon.v1.WorkRequest` and `WorkResponse` on one gRPC stream. Ids and tokens are integers, times epoch milliseconds of the cell's
 * clock, payloads and results JSON text.
 */
import type { AttemptReport, RetryPolicy } from "@carillon/core";

export interface TaskRef {
  id: bigint;
  token: bigint;
}

export interface DeclaredType {
  type: string;
  queue: string | null;
  retry: RetryPolicy | null;
  timeoutMs: number | null;
}

export interface Hello {
  worker: string;
  version: string;
  types: DeclaredType[];
  queues: string[];
  labels: Record<string, string>;
  /** How many tasks it can hold at once. */
  slots: number;
  /** What it still runs, from an earlier stream. */
  held: TaskRef[];
}

/** A task as a worker gets it. */
export interface AssignedTask extends TaskRef {
  namespace: string;
  type: string;
  queue: string;
  payload: string | null;
  attempt: number;
  dueAt: number;
  fireAt: number | null;
  schedule: string | null;
  timeoutMs: number;
  /** Only of one that comes after others: the results of those that succeeded, JSON text of an object by key or id. */
  parents?: string;
  /** Only of one that belongs to a workflow: which, and its key there. */
  workflow?: { id: bigint; key: string };
}

export interface ReportedOutcome extends TaskRef {
  report: AttemptReport;
  /** From receiving the task to starting it, and from starting it to its end; durations, so that no clocks are compared. */
  waitedMs: number;
  ranMs: number;
  /** From its end to sending this. */
  keptMs: number;
}

export interface ReportedLogLine extends TaskRef {
  at: number;
  level: "debug" | "info" | "warn" | "error";
  message: string;
  attempt: number;
}

/** How far an attempt has come. */
export interface ReportedProgress extends TaskRef {
  /** 0 … 1. */
  fraction: number;
  message: string | null;
}

export type WorkerMessage =
  | { kind: "hello"; hello: Hello }
  | { kind: "capacity"; slots: number }
  | { kind: "outcomes"; outcomes: ReportedOutcome[] }
  | { kind: "logs"; lines: ReportedLogLine[] }
  | { kind: "progress"; reports: ReportedProgress[] }
  | { kind: "ping" }
  /** The last word on a link: what the worker still holds it takes elsewhere, or it has nothing left. */
  | { kind: "leaving" };

export type NodeMessage =
  | { kind: "welcome"; node: string; nodes: string[]; now: number }
  | { kind: "tasks"; tasks: AssignedTask[] }
  | { kind: "recorded"; outcomes: (TaskRef & { accepted: boolean })[] }
  | { kind: "cancels"; cancels: (TaskRef & { reason: string | null })[] }
  | { kind: "pong" }
  /** Presented or held tasks that are no longer this worker's. */
  | { kind: "lost"; tasks: TaskRef[] }
  /** The node is leaving or cut off: reconnect elsewhere, keep what runs. */
  | { kind: "go-elsewhere"; nodes: string[] };

/** One side's end of an open connection. `send` never throws; after `close` nothing more arrives. */
export interface Link<Out> {
  send(message: Out): void;
  close(): void;
}

export interface LinkListener<In> {
  message(message: In): void;
  /** Once, when the other side closed or the connection broke. Not after our own `close`. */
  closed(cause: unknown): void;
}

/** How a worker reaches a node: in process, or over gRPC to one of several addresses. */
export interface WorkerTransport {
  /** Opens a link to another node at each call; failures arrive as `closed`. `nodes`: living ones, as the last node said. */
  connect(listener: LinkListener<NodeMessage>, nodes: string[]): Link<WorkerMessage> | Promise<Link<WorkerMessage>>;
}

/** How a node takes in a worker; implemented by the dispatcher, called by the in-process transport and the gRPC service. */
export interface WorkerGate {
  /** The namespace comes from the worker's credential. */
  accept(worker: Link<NodeMessage>, namespace: string): LinkListener<WorkerMessage>;
}
