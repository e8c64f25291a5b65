import { finishWithinError, riseTowards } from "@carillon/core";
import type { DeadlineLook } from "../store.ts";
import type { MemoryDatabase, TaskRow } from "./database.ts";
import { changeTask, finishTask } from "./rows.ts";

export function watchDeadlines(database: MemoryDatabase, { now, limit }: { now: number; limit: number }): DeadlineLook {
  const due = [...database.limited]
    .map((id) => database.tasks.get(id)!)
    .filter((row) => row.session === null && lookAt(row) <= now)
    .sort((a, b) => lookAt(a) - lookAt(b) || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
  const look: DeadlineLook = { failed: [], raised: [], more: due.length === limit };
  for (const row of due) {
    const { id, lane, priority, dueAt } = row;
    const finishWithinMs = row.policy.finishWithinMs!;
    if (row.finishBy! <= now) {
      const error = finishWithinError(finishWithinMs);
      finishTask(database, row, { state: "failed", finishedAt: now, error, reason: null });
      look.failed.push({ id, lane });
    } else {
      const risen = riseTowards({ priority, finishBy: row.finishBy!, finishWithinMs }, now);
      changeTask(database, row, { priority: risen.priority, raiseAt: risen.nextAt });
      if (row.state === "pending") look.raised.push({ lane, priority: risen.priority, dueAt });
    }
  }
  return look;
}

const lookAt = (row: TaskRow): number => row.raiseAt ?? row.finishBy!;
