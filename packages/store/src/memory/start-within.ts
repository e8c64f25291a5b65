import { type Id, START_WITHIN } from "@carillon/core";
import type { Lane } from "../store.ts";
import type { MemoryDatabase } from "./database.ts";
import { finishTask } from "./rows.ts";

export function skipUnstarted(
  database: MemoryDatabase,
  { now, limit }: { now: number; limit: number },
): { id: Id; lane: Lane }[] {
  return [...database.hurried]
    .map((id) => database.tasks.get(id)!)
    .filter((row) => (row.state === "pending" || row.state === "waiting") && row.attempt === 0 && row.startBy! < now)
    .sort((a, b) => a.startBy! - b.startBy! || (a.id < b.id ? -1 : 1))
    .slice(0, limit)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((row) => {
      finishTask(database, row, { state: "skipped", finishedAt: now, reason: START_WITHIN });
      return { id: row.id, lane: row.lane };
    });
}
