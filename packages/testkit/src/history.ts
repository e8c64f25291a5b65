import type { RateLimit } from "@carillon/core";

/**
 * What happened, line by line, as nodes, workers and clients saw it, and what the store holds at the end. Plain JSON: real processes write
 * the same lines into their journals. Ids and tokens are decimal text, instants epoch milliseconds.
 */
export type JournalLine =
  /** A client was told that the task is stored. */
  | { kind: "accepted"; task: string; dueAt: number; at: number }
  /** A client asked and never got an answer: the task may or may not exist. */
  | { kind: "unanswered"; task: string; at: number }
  /** The store gave the task to a node. */
  | { kind: "claimed"; task: string; token: string; at: number }
  | { kind: "started"; task: string; token: string; worker: string; dueAt: number; at: number }
  | { kind: "ended"; task: string; token: string; worker: string; at: number }
  /** Its handler came to no end: it failed, or gave up when it was asked to. */
  | { kind: "left"; task: string; token: string; worker: string; at: number }
  /** A worker's process is gone, with all that it ran. */
  | { kind: "died"; worker: string; at: number }
  /** The store took the attempt from whoever held it: what it still does counts for nothing. */
  | { kind: "freed"; task: string; token: string; at: number }
  /** The store took this outcome for final. */
  | { kind: "recorded"; task: string; token: string; state: string; at: number };

export interface StoredTask {
  task: string;
  state: string;
  /** No attempt follows. */
  final: boolean;
  token: string;
  schedule: string | null;
  fireAt: number | null;
  /** Where it is known. */
  finishedAt?: number | null;
  /** Where they matter. */
  queue?: string;
  type?: string;
  concurrencyKey?: string | null;
}

export interface StoredFire {
  schedule: string;
  fireAt: number;
  outcome: string;
  task: string | null;
  caughtUp?: boolean;
}

/** Computed without the store. What is left out is not compared. */
export interface ExpectedOfSchedule {
  schedule: string;
  fireAt: number;
  /** Any of these. */
  outcomes?: readonly string[];
  caughtUp?: boolean;
  /** It may also be absent. */
  optional?: boolean;
}

export interface History {
  journal: readonly JournalLine[];
  tasks: readonly StoredTask[];
  fires: readonly StoredFire[];
  expectedFires: readonly ExpectedOfSchedule[];
  /** Schedules whose tasks never overlap. */
  alone?: readonly string[];
  /** Limits that were in force all the time. */
  limits?: readonly QueueLimits[];
}

export interface QueueLimits {
  queue: string;
  concurrency?: number;
  concurrencyPerKey?: number;
  concurrencyPerType?: Record<string, number>;
  rateLimit?: RateLimit;
  rateLimitPerKey?: RateLimit;
  /** How long a start may come after its claim was asked for. Default 0. */
  slackMs?: number;
}

/** One line per event, for journals in files. */
export function parseJournal(text: string): JournalLine[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as JournalLine);
}
