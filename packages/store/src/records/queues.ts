/** What queues allow. */
import type { BreakerRule, FairTurns, FairWeights, Id, RateLimit } from "@carillon/core";
import type { ClaimedTask } from "./claims.ts";
import type { Band } from "./lanes.ts";

/** What a queue allows. Absent: no limit. */
export interface QueueSettings {
  /** Tasks that run at once. */
  concurrency?: number;
  /** Tasks of one `concurrencyKey` that run at once; 1: the key is a mutex. */
  concurrencyPerKey?: number;
  /** Tasks of each of these types that run at once. */
  concurrencyPerType?: Record<string, number>;
  /** Starts. */
  rateLimit?: RateLimit;
  /** Starts of one `concurrencyKey`. */
  rateLimitPerKey?: RateLimit;
  /** Tasks that are not final. Nothing in the store goes by it. */
  maxBacklog?: number;
  /** Of fair keys; those that are not named weigh 1. In a queue without limits nothing in the store goes by it. */
  fairWeights?: FairWeights;
  /** Tasks of a `concurrencyKey` wait while those before them fail; those without one are together. The store only keeps them from `claim`. */
  breaker?: QueueBreaker;
}

export interface QueueBreaker extends BreakerRule {
  /** How many tasks of a key run at once follows how fast and how well they end. */
  adaptive: boolean;
}

export interface QueueRecord {
  namespace: string;
  name: string;
  version: number;
  settings: QueueSettings;
  paused: boolean;
  pause: { reason: string | null; at: number; by: string | null } | null;
  createdAt: number;
  updatedAt: number;
}

/**
 * How the tasks of a queue are claimed. `free`: by `claim`. `limited`: by `claimLimited` alone; a queue whose limits were taken away stays
 * so until nothing waits for a key any more. `paused`: by neither.
 */
export type QueueMode = "free" | "limited" | "paused";

export interface LimitedAnswer {
  /** How the queue is to be claimed from now on. */
  mode: QueueMode;
  /** In the order in which they are due, with their keys. */
  claimed: ClaimedTask[];
  /** Somebody else is claiming there, or changing the queue: ask again in a moment. */
  busy: boolean;
  /** One call looks at so many tasks; there may be more that could start now. */
  more: boolean;
  /** All slots of the queue are taken. */
  full: boolean;
  /** The queue has no token, and gets the next one then. */
  tokenAt: number | null;
  /** The first key for which tasks of these lanes wait is to be looked at again then; null: when a slot of one is free. */
  keysAt: number | null;
  /** The last key that a sweep came to; null: there is none after it. */
  sweptTo: string | null;
  /** The earliest due instant by lane and band of what is still pending. */
  nextDue: { laneId: number; band: Band; dueAt: number }[];
  /** Whose turn it is next, for the next call; null: nothing here had a fair key. */
  turns: FairTurns | null;
}

/** What the limits of a queue, and of one of its keys, are taken up by. */
export interface LimitFacts {
  /** The tasks that hold a slot; the first of them by id. */
  held: Id[];
  /** When the queue's next token comes; null: there is one, or no rate limit. */
  tokenAt: number | null;
  /** The same for the key; empty and null without one. */
  keyHeld: Id[];
  keyTokenAt: number | null;
  /** Of the type. */
  typeHeld: Id[];
}
