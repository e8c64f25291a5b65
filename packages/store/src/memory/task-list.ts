import { idCreatedAt, parseId, publicState } from "@carillon/core";
import type { Page, TaskFilter, TaskRecord } from "../store.ts";
import type { MemoryDatabase, TaskRow } from "./database.ts";
import { scheduleNameOf } from "./rows.ts";
import { taskRecord } from "./tasks.ts";

export function listTasks(
  database: MemoryDatabase,
  namespace: string,
  query: { filter: TaskFilter; now: number; pageSize: number; after: string | null },
): Page<TaskRecord> {
  const before = query.after === null ? null : BigInt(query.after);
  const rows = matching(database, namespace, query)
    .filter((row) => before === null || row.id < before)
    .sort((a, b) => (a.id > b.id ? -1 : 1));
  const items = rows
    .slice(0, query.pageSize)
    .map((row) => ({ ...taskRecord(database, row), payload: null, result: null }));
  return { items, next: rows.length > query.pageSize ? String(items.at(-1)!.id) : null };
}

export function countTasks(
  database: MemoryDatabase,
  namespace: string,
  { cap, ...query }: { filter: TaskFilter; now: number; cap: number },
): number {
  return Math.min(cap, matching(database, namespace, query).length);
}

function matching(
  database: MemoryDatabase,
  namespace: string,
  { filter, now }: { filter: TaskFilter; now: number },
): TaskRow[] {
  return [...database.tasks.values(), ...database.archive.values()].filter(
    (row) => row.namespace === namespace && matches(database, row, filter, now),
  );
}

function matches(database: MemoryDatabase, row: TaskRow, filter: TaskFilter, now: number): boolean {
  const { states, waiting, types, queues, schedule, workflow, tag, text, from, to } = filter;
  const createdAt = idCreatedAt(row.id);
  return (
    (!states || states.includes(row.state)) &&
    (!waiting || isWaiting(row, waiting, now)) &&
    (!types || types.includes(row.lane.type)) &&
    (!queues || queues.includes(row.lane.queue)) &&
    (schedule === undefined || scheduleNameOf(database, row) === schedule) &&
    (workflow === undefined || row.workflow?.id === workflow) &&
    (tag === undefined || row.tags.includes(tag)) &&
    (text === undefined || hasText(row, text)) &&
    (from === undefined || createdAt >= from) &&
    (to === undefined || createdAt < to)
  );
}

/** Narrows tasks that wait; the others are not concerned. */
function isWaiting(row: TaskRow, wanted: readonly string[], now: number): boolean {
  if (row.state !== "pending" && row.state !== "waiting" && row.state !== "claimed") return true;
  return wanted.includes(publicState(row, now));
}

function hasText(row: TaskRow, text: string): boolean {
  if (parseId("task", text) === row.id) return true;
  const wanted = text.toLowerCase();
  return [row.lane.type, row.payload, row.error && JSON.stringify(row.error)].some((part) =>
    part?.toLowerCase().includes(wanted),
  );
}
