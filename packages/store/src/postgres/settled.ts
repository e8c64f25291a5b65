import type { Id } from "@carillon/core";

/** What a round did, in the database's terms. */
export interface Settled {
  released: ReleasedRow[];
  ended: EndedRow[];
  recalled: { id: Id; session: Id; reason: string | null }[];
  more: boolean;
}
export type ReleasedRow = [id: Id, laneId: number, priority: number, dueAt: number];
export type EndedRow = [id: Id, laneId: number, state: "cancelled" | "skipped"];
