/** What a worker must serve to be given a task, and who gets it first. */
import { fairPart, type Labels, labelsText } from "@carillon/core";

/** What a worker must serve to be given a task. Interned: `id` is the same on every node, and the object may be compared by it. */
export interface Lane {
  id: number;
  namespace: string;
  queue: string;
  type: string;
  /** Labels that the worker has to have; absent: it needs none. */
  requires?: Labels;
  /** The part of its tasks' fair keys (`fairPart`); absent: they have none. */
  fair?: number;
}

export interface LaneName {
  namespace: string;
  queue: string;
  type: string;
  requires?: Labels | undefined;
  fair?: number | undefined;
  /** Where the part is not given: whose it is. */
  fairKey?: string | null | undefined;
}

/** The same text for the same lane. No name holds a NUL. */
export function laneKey({ namespace, queue, type, requires, fair, fairKey }: LaneName): string {
  const part = fair ?? fairPart(fairKey);
  return `${namespace}\0${queue}\0${type}\0${labelsText(requires)}${part === 0 ? "" : `\0${part}`}`;
}

/** Priorities 1–3, 4–6, 7–9. */
export type Band = 1 | 2 | 3;
export const bandOf = (priority: number): Band => Math.ceil(priority / 3) as Band;
