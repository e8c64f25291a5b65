import type { Id } from "@carillon/core";
import type { BackfillPage, NewOperation, NewTask, OperationPage, OperationRecord, Page } from "../store.ts";
import type { MemoryDatabase } from "./database.ts";
import { insertTask } from "./rows.ts";

export function createOperation(database: MemoryDatabase, operation: NewOperation, now: number): OperationRecord {
  if (!database.operations.has(operation.id)) {
    database.operations.set(operation.id, {
      ...operation,
      state: "running",
      scheduleName: null,
      cursor: null,
      done: 0,
      skipped: 0,
      failed: 0,
      nextAt: now,
      createdAt: now,
      finishedAt: null,
    });
  }
  return getOperation(database, operation.namespace, operation.id)!;
}

export function getOperation(database: MemoryDatabase, namespace: string, id: Id): OperationRecord | null {
  const row = database.operations.get(id);
  return row?.namespace === namespace ? named(database, row) : null;
}

export function listOperations(
  database: MemoryDatabase,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Page<OperationRecord> {
  const rows = [...database.operations.values()]
    .filter((row) => row.namespace === namespace && (after === null || row.id < BigInt(after)))
    .sort((a, b) => (a.id > b.id ? -1 : 1));
  const items = rows.slice(0, pageSize).map((row) => named(database, row));
  return { items, next: rows.length > pageSize ? String(items.at(-1)!.id) : null };
}

export function cancelOperation(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  now: number,
): { kind: "done" | "final"; operation: OperationRecord } | { kind: "not_found" } {
  const row = database.operations.get(id);
  if (row?.namespace !== namespace) return { kind: "not_found" };
  const kind = row.state === "running" ? "done" : "final";
  if (kind === "done") end(row, "cancelled", now);
  return { kind, operation: named(database, row) };
}

/** Running ones whose next page is due. */
function dueOperations(
  database: MemoryDatabase,
  kind: OperationRecord["kind"],
  { now, limit }: { now: number; limit: number },
): OperationRecord[] {
  return [...database.operations.values()]
    .filter((row) => row.kind === kind && row.state === "running" && row.nextAt <= now)
    .sort((a, b) => a.nextAt - b.nextAt || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

export function takeOperations(
  database: MemoryDatabase,
  { kind, until, ...request }: { kind: "bulk"; now: number; until: number; limit: number },
): OperationRecord[] {
  return dueOperations(database, kind, request).map((row) => {
    row.nextAt = until;
    return named(database, row);
  });
}

export function moveOperation(database: MemoryDatabase, id: Id, page: OperationPage, now: number): boolean {
  const row = database.operations.get(id);
  if (!row || row.state === "done" || row.cursor !== page.from) return false;
  row.done += page.done;
  row.skipped += page.skipped;
  row.failed += page.failed;
  row.matched = Math.max(row.matched, row.done + row.skipped + row.failed);
  Object.assign(row, { cursor: page.cursor, nextAt: now });
  if (row.state === "running" && page.finished) end(row, "done", now);
  return row.state === "running";
}

export function stepBackfills(
  database: MemoryDatabase,
  { now, limit, most }: { now: number; limit: number; most: number },
  plan: (operation: OperationRecord, waiting: number) => BackfillPage | null,
): { running: number; tasks: NewTask[] } {
  const due = dueOperations(database, "backfill", { now, limit });
  const tasks: NewTask[] = [];
  let running = 0;
  for (const row of due) {
    if (database.schedules.get(row.scheduleId!)?.deletedAt !== null) {
      end(row, "cancelled", now);
      continue;
    }
    const page = plan(named(database, row), Math.min(most, waitingTasks(database, row.scheduleId!, now)));
    if (page) tasks.push(...writePage(database, row, page, now));
    if (!page?.finished) running++;
  }
  return { running, tasks };
}

function writePage(
  database: MemoryDatabase,
  row: OperationRecord,
  { fires: page, cursor, finished, nextAt }: BackfillPage,
  now: number,
): NewTask[] {
  const fires = database.fires.get(row.scheduleId!)!;
  const made = page.filter(({ fireAt }) => fires.get(fireAt)?.outcome !== "task");
  for (const { fireAt, version, task } of made) {
    const outcome = { outcome: "task", taskId: task.id, version, reason: null, caughtUp: false } as const;
    fires.set(fireAt, { fireAt, ...outcome, backfilled: true });
    insertTask(database, task);
  }
  row.done += made.length;
  row.skipped += page.length - made.length;
  Object.assign(row, { cursor, nextAt });
  if (finished) end(row, "done", now);
  return made.map(({ task }) => task);
}

/** Of backfills of this schedule, due and not final. */
function waitingTasks(database: MemoryDatabase, schedule: Id, now: number): number {
  const rows = [...(database.scheduled.get(schedule) ?? [])].map((id) => database.tasks.get(id)!);
  return rows.filter(({ trigger, dueAt }) => trigger === "backfill" && dueAt <= now).length;
}

function end(row: OperationRecord, state: "done" | "cancelled", now: number): void {
  row.state = state;
  row.finishedAt = now;
}

function named(database: MemoryDatabase, row: OperationRecord): OperationRecord {
  const name = row.scheduleId === null ? null : (database.schedules.get(row.scheduleId)?.name ?? null);
  return { ...row, scheduleName: name };
}
