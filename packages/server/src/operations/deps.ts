/** What the operations stand on. `http/` and the in-process client call them with one of these. */
import type { Clock, Id, IdSource } from "@carillon/core";
import type { ClaimedTask, LaneName, Store, WorkerFacts } from "@carillon/store";
import type { Logger } from "pino";
import type { Backlog } from "../backlog.ts";
import type { AddressGuard } from "../egress/address-guard.ts";
import type { ChangeFeed } from "../feed.ts";
import type { DeclaredTypes } from "./types.ts";

/** What operations ask of the node's dispatcher, so that work accepted here can start here without another round trip to the store. */
export interface TaskDispatcher {
  /** Present session; null while the node may hand out nothing. */
  readonly session: Id | null;
  /** Takes up to `count` free slots of workers for this lane; how many it got. */
  reserve(lane: LaneName, count: number): number;
  /** Gives reserved slots back that were not used. */
  release(lane: LaneName, count: number): void;
  /** Tasks that were inserted as claimed, for reserved slots. */
  handOut(claimed: ClaimedTask[]): void;
  /** Tasks that wait in the store: look at their lanes by then. */
  noticeCreated(tasks: readonly (LaneName & { priority: number; dueAt: number })[]): void;
  /** A queue was set anew, paused or resumed. */
  queuesChanged(): void;
  /** Connected to this node. */
  workers(): WorkerFacts[];
  /** A task held by this node shall be cancelled, or given back if it has not started. */
  recall(task: { id: Id }, what: "cancel" | "return", reason: string | null): void;
}

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

export interface Deps {
  store: Store;
  clock: Clock;
  ids: IdSource;
  /** In [0, 1). */
  random: () => number;
  /** Null on a node that dispatches nothing. */
  dispatcher: TaskDispatcher | null;
  /** Null on a node that plans nothing. `wake`: a schedule changed, look now. */
  planner: { wake(): void } | null;
  feed: ChangeFeed;
  /** What queues may still take in. */
  backlog: Backlog;
  types: DeclaredTypes;
  /** Throws for an address that `http` tasks accepted here may not name. */
  targets: Pick<AddressGuard, "check">;
  log: Log;
}

/** A client's key for a request that it may send again, with a fingerprint of the request. */
export interface Idempotency {
  key: string;
  requestHash: string;
}

export const IDEMPOTENCY_TTL_MS = 24 * 3_600_000;
