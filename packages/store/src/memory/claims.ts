/** Who holds what: claims, what comes back unstarted, adoption. */
import type { Id } from "@carillon/core";
import type { Band, ClaimedTask, ClaimTarget, Lane, TaskRef } from "../store.ts";
import { isLive, type MemoryDatabase, type TaskRow } from "./database.ts";
import { first, firstFrom } from "./pending.ts";
import { queueMode } from "./queues.ts";
import { changeTask, claimedTask, claimTask, finishTask, heldTask, pendingKey, returnTask } from "./rows.ts";

const bands: Band[] = [1, 2, 3];

export function lanes(database: MemoryDatabase): Lane[] {
  return [...database.lanes];
}

export function nextDue(database: MemoryDatabase, laneIds: number[]): { laneId: number; band: Band; dueAt: number }[] {
  return laneIds.flatMap((laneId) =>
    bands.flatMap((band) => {
      const queue = database.pending.get(pendingKey(laneId, band));
      const place = queue && first(queue);
      return place ? [{ laneId, band, dueAt: place.dueAt }] : [];
    }),
  );
}

/** In the order in which they are due. */
export function claim(
  database: MemoryDatabase,
  request: { session: Id; targets: ClaimTarget[]; until: number; limit: number; now: number },
): ClaimedTask[] {
  const claimed: ClaimedTask[] = [];
  if (!isLive(database, request.session)) return claimed;
  for (const target of request.targets) {
    if (queueMode(database, database.lanes[target.laneId - 1]!) !== "free") continue;
    const queue = database.pending.get(pendingKey(target.laneId, target.band));
    if (!queue) continue;
    for (let taken = 0; taken < target.limit && claimed.length < request.limit; taken++) {
      const place = target.from === undefined ? first(queue) : firstFrom(queue, target.from);
      if (!place || place.dueAt > request.until) break;
      claimed.push(claimTask(database, database.tasks.get(place.id)!, request.session));
    }
  }
  return claimed.sort((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1));
}

export function giveBack(database: MemoryDatabase, session: Id, tasks: TaskRef[]): Id[] {
  return held(database, tasks)
    .filter((row) => row.session === session)
    .map((row) => {
      returnUnstarted(database, row, row.cancelAt);
      return row.id;
    });
}

/** Pending again as if it had not been claimed; cancelled at `finishedAt` if that was asked for meanwhile. */
export function returnUnstarted(database: MemoryDatabase, row: TaskRow, finishedAt: number | null): void {
  const attempt = row.attempt - 1;
  if (row.recall === "cancel" && finishedAt !== null) {
    finishTask(database, row, { state: "cancelled", finishedAt, attempt, startedAt: null, worker: null });
  } else {
    returnTask(database, row, { attempt });
  }
}

export function markRunning(
  database: MemoryDatabase,
  tasks: (TaskRef & { startedAt: number; worker: string })[],
): void {
  for (const { startedAt, worker, ...ref } of tasks) {
    const row = heldTask(database, ref);
    if (row?.state === "claimed") changeTask(database, row, { state: "running", startedAt, worker });
  }
}

export function adopt(database: MemoryDatabase, session: Id, namespace: string, tasks: TaskRef[]): ClaimedTask[] {
  if (!isLive(database, session)) return [];
  const rows = held(database, tasks).filter((row) => row.namespace === namespace);
  return rows.map((row) => {
    changeTask(database, row, { session });
    return claimedTask(database, row);
  });
}

export function leases(database: MemoryDatabase, session: Id): TaskRef[] {
  return [...(database.leases.get(session) ?? [])].map((id) => ({ id, token: database.tasks.get(id)!.token }));
}

/** Those that are held with their token, each once, in id order. */
function held(database: MemoryDatabase, refs: TaskRef[]): TaskRow[] {
  const rows = new Set(refs.map((ref) => heldTask(database, ref)).filter((row) => row !== null));
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}
