/** What tasks call. */
import type { Id, TargetState } from "@carillon/core";
import type { TaskRef } from "./claims.ts";
import type { Lane } from "./lanes.ts";

/** Something that tasks call (for `http` the host and port of the URL), which had trouble. */
export interface TargetRecord {
  /** Also of the gate at which tasks wait for it. */
  id: Id;
  namespace: string;
  name: string;
  state: TargetState;
  /** In this state. */
  since: number;
  /** When an open one may be tried, and a half-open one tried again; null when closed. */
  until: number | null;
  /** How often it opened without closing in between. */
  trips: number;
  /** What its last failure was. */
  reason: string | null;
}

export interface TargetSummary extends TargetRecord {
  /** How many tasks wait for it, counted up to a cap. */
  waiting: number;
}

export type TargetChange = Omit<TargetRecord, "since">;

/** A held task that has not started and shall wait for its target. `id` is the target's if it is new. */
export interface ParkedTask extends TaskRef {
  target: Pick<TargetRecord, "id" | "namespace" | "name">;
  reason: string;
}

export interface ReleasedTask {
  lane: Lane;
  priority: number;
  dueAt: number;
}
