/** What nodes tell each other, which may be lost. */
import type { Id } from "@carillon/core";
import type { Band } from "./lanes.ts";

/** What nodes tell each other so that nobody has to wait for a poll. Losing one costs time, never correctness. */
export interface Hint {
  /** The earliest new due instant by lane and band. */
  due?: { laneId: number; band: Band; dueAt: number }[];
  /** Sessions that hold a task with a new recall. */
  recall?: Id[];
  /** For people's screens: what changed. `more` when there was more than fits. */
  changed?: { tasks: Id[]; schedules: string[]; queues?: string[]; more: boolean };
  /** A type was declared anew, or a schedule changed: planners and caches look again. */
  types?: boolean;
  schedules?: boolean;
  /** A target's breaker has opened or closed. */
  targets?: boolean;
  /** A queue was set anew, or paused, or resumed. */
  queues?: boolean;
  /** In the limited queues of these lanes there is room that the sender cannot use. */
  room?: number[];
}

export interface Hints {
  /** Sends soon, merged with others of the next few milliseconds. Never throws. */
  publish(hint: Hint): void;
  /** Hints of other nodes. Returns how to stop. */
  subscribe(listener: (hint: Hint) => void): () => void;
}
