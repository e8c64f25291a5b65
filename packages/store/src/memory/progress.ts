import type { Id } from "@carillon/core";
import type { Progress, TaskRef } from "../store.ts";
import type { MemoryDatabase, TaskRow } from "./database.ts";

export function recordProgress(database: MemoryDatabase, reports: (TaskRef & Progress)[], now: number): void {
  for (const { id, token, fraction, message } of reports) {
    if (rowOf(database, id, now)?.token === token) database.progress.set(id, { token, at: now, fraction, message });
  }
}

/** What was said in the latest attempt. */
export function progressOf(database: MemoryDatabase, { id, token }: TaskRow): Progress | null {
  const said = database.progress.get(id);
  return said?.token === token ? { fraction: said.fraction, message: said.message } : null;
}

const DAY_MS = 86_400_000;

/** A task may have become final just before its last report is written. */
function rowOf(database: MemoryDatabase, id: Id, now: number): TaskRow | null {
  const final = database.archive.get(id);
  if (final) return final.finishedAt! >= now - DAY_MS && final.finishedAt! <= now + 60_000 ? final : null;
  return database.tasks.get(id) ?? null;
}
