import type { Clock, Id, IdSource, PublicState } from "@carillon/core";
import type { Store, TypeDeclaration } from "@carillon/store";
import type { Metrics } from "../metrics.ts";

/** A node's clock: it knows when it does not know the time. */
export interface NodeClock extends Clock {
  /** False: hand out nothing. */
  certain(): boolean;
}

/** What happened, for the operator; pino's shape. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** What changed, for people's screens. Called on the hot path: costs nothing when nobody looks. */
export interface Feed {
  taskChanged(id: Id, namespace: string, state: PublicState): void;
}

/** The session under which this node holds tasks, as the dispatcher sees it. */
export interface Lease {
  /** Null until it is open, and between one that was lost and the next. */
  readonly id: Id | null;
  /** Nobody can have taken the leases meanwhile: it was renewed recently enough to hand out. */
  safe(): boolean;
  /** Not renewed for so long that workers are better off with another node. */
  cutOff(): boolean;
}

export interface DispatcherOptions {
  store: Store;
  clock: NodeClock;
  /** In [0, 1). */
  random: () => number;
  metrics: Metrics;
  log: Log;
  feed: Feed;
  session: Lease;
  ids: IdSource;
  /** This node's name, shown to workers. */
  node: string;
  /** Addresses of the other living nodes. */
  peers: () => string[];
  /** There may be recalls for this node: renew its session now. */
  renewSoon?: () => void;
  /** A task of this schedule is final. */
  scheduledEnded?: (schedule: Id) => void;
  /** A worker came or went. */
  workersChanged?: () => void;
  /** Keeps what a worker declares. Left out: in the store, and other nodes are told. */
  declareTypes?: (namespace: string, types: TypeDeclaration[]) => Promise<void>;
}
