import { idCreatedAt, publicState } from "@carillon/core";
import { type Depth, isAsked, type LaneFilter } from "../store.ts";
import type { MemoryDatabase } from "./database.ts";
import { forgetTargets } from "./targets.ts";

export function depths(
  database: MemoryDatabase,
  { now, cap, ...filter }: { now: number; cap: number } & LaneFilter,
): Depth[] {
  const counts = new Map<string, Depth>();
  for (const task of database.tasks.values()) {
    const { lane } = task;
    if (!isAsked(lane, filter)) continue;
    const state = publicState(task, now) as Depth["state"];
    const key = `${lane.id}/${state}`;
    const entry = counts.get(key) ?? { lane, state, count: 0, due: 0, waitsSince: null };
    entry.count = Math.min(cap, entry.count + 1);
    if (task.state !== "blocked" && task.dueAt <= now) entry.due = Math.min(cap, entry.due + 1);
    if ((task.state === "pending" || task.state === "waiting") && task.dueAt <= now) {
      const since = Math.max(task.dueAt, idCreatedAt(task.id));
      entry.waitsSince = Math.min(since, entry.waitsSince ?? since);
    }
    counts.set(key, entry);
  }
  return [...counts.values()];
}

export function countBacklogs(
  database: MemoryDatabase,
  queues: { namespace: string; queue: string | null; cap: number }[],
): number[] {
  return queues.map(({ namespace, queue, cap }) => {
    let count = 0;
    for (const { lane } of database.tasks.values()) {
      if (lane.namespace === namespace && (queue ?? lane.queue) === lane.queue) count++;
    }
    return Math.min(cap, count);
  });
}

/** The ledger of fires outlives the tasks. */
const FIRE_RETENTIONS = 4;

/** Buckets, by the clock of every node. */
const FULL_FOR_MS = 60_000;
const LATENESS_KEPT_MS = 25 * 3_600_000;
/** Those that are well. */
const TARGETS_KEPT_MS = 24 * 3_600_000;

/** Forgets what is older than its retention. */
export function maintain(
  database: MemoryDatabase,
  { now, retentionMs, logRetentionMs }: { now: number; retentionMs: number; logRetentionMs: number },
): void {
  const oldest = now - retentionMs;
  for (const [id, row] of database.archive) {
    if (row.finishedAt! < oldest) database.archive.delete(id);
  }
  for (const [id, log] of database.logs) {
    log.lines = log.lines.filter((line) => line.at >= now - logRetentionMs);
    if (log.lines.length === 0) database.logs.delete(id);
  }
  for (const [id, { at }] of database.progress) {
    if (at < oldest && idCreatedAt(id) < oldest) database.progress.delete(id);
  }
  for (const fires of database.fires.values()) {
    const keptFrom = now - FIRE_RETENTIONS * retentionMs;
    for (const { fireAt, backfilled, taskId } of fires.values()) {
      // As if it were of the day on which it was backfilled.
      const since = backfilled ? idCreatedAt(taskId!) : fireAt;
      if (since < keptFrom) fires.delete(fireAt);
    }
  }
  for (const [id, { finishedAt }] of database.operations) {
    if (finishedAt !== null && finishedAt < oldest) database.operations.delete(id);
  }
  for (const [id, { finishedAt }] of database.workflows) {
    if (finishedAt !== null && finishedAt < oldest) database.workflows.delete(id);
  }
  forgetTargets(database, now - TARGETS_KEPT_MS);
  database.zoneChanges = database.zoneChanges.filter(({ at }) => at >= now - FIRE_RETENTIONS * retentionMs);
  for (const [key, row] of database.idempotency) {
    if (row.expiresAt <= now) database.idempotency.delete(key);
  }
  for (const [key, { expiresAt }] of database.windows) {
    if (expiresAt <= now) database.windows.delete(key);
  }
  for (const { keyFullAt } of database.queues.values()) {
    for (const [key, fullAt] of keyFullAt) if (fullAt <= now - FULL_FOR_MS) keyFullAt.delete(key);
  }
  for (const [key, { at }] of database.lateness) {
    if (at < now - LATENESS_KEPT_MS) database.lateness.delete(key);
  }
  for (const [id, session] of database.sessions) {
    if (session.closedAt !== null && session.closedAt < oldest) database.sessions.delete(id);
  }
}
