/** A node's life as the others see it. */
import type { Id } from "@carillon/core";
import type { TaskRef } from "./claims.ts";

export interface Session {
  id: Id;
  node: string;
  url: string | null;
  beat: bigint;
  deadAt: number | null;
  /** See `openSession`. */
  starting: boolean;
  /** Of the time zone data that it plans with; null: it plans nothing. */
  zoneData: string | null;
}

export interface OpenedSession {
  id: Id;
  /** For this node's ids; unique among live sessions. */
  slot: number;
  /** When any node was last seen alive before, those that were still starting left out; null: never. */
  lastSeenAt: number | null;
}

/** A task of this session that its holder shall cancel, or give back if it has not started. */
export interface Recall extends TaskRef {
  what: "cancel" | "return";
  reason: string | null;
}
