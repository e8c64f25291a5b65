/** What people set on queues. */
import { underRate } from "@carillon/core";
import { changedQueue, modeOf, type QueueRequest } from "../queue-changes.ts";
import type { Page, QueueMode, QueueRecord, QueueSettings, Store } from "../store.ts";
import { type MemoryDatabase, nameKey, type QueueRow } from "./database.ts";
import { heldOf } from "./held.ts";
import { changeTask } from "./rows.ts";

export function getQueue(database: MemoryDatabase, namespace: string, name: string): QueueRecord | null {
  const row = database.queues.get(nameKey(namespace, name));
  return row ? queueRecord(row) : null;
}

export function listQueues(
  database: MemoryDatabase,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Page<QueueRecord> {
  const rows = [...database.queues.values()]
    .filter((row) => row.namespace === namespace && (after === null || row.name > after))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = rows.slice(0, pageSize).map(queueRecord);
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

export function allQueues(database: MemoryDatabase): (QueueRecord & { mode: QueueMode })[] {
  return [...database.queues.values()]
    .sort((a, b) => (nameKey(a.namespace, a.name) < nameKey(b.namespace, b.name) ? -1 : 1))
    .map((row) => ({ ...queueRecord(row), mode: row.mode }));
}

export function putQueue(
  database: MemoryDatabase,
  { expect, ...request }: Parameters<Store["putQueue"]>[0],
): Awaited<ReturnType<Store["putQueue"]>> {
  const before = database.queues.get(nameKey(request.namespace, request.name));
  if (expect !== undefined && expect !== (before?.version ?? 0)) return { kind: "version_mismatch" };
  const queue = writeChange(database, before, request);
  if (!queue) return { kind: "unchanged", queue: queueRecord(before!) };
  return { kind: before ? "changed" : "created", queue };
}

export function setQueuePaused(
  database: MemoryDatabase,
  namespace: string,
  name: string,
  request: { paused: boolean; reason: string | null; by?: string | null; now: number },
): QueueRecord {
  const before = database.queues.get(nameKey(namespace, name));
  return writeChange(database, before, { namespace, name, ...request }) ?? queueRecord(before!);
}

/** How tasks of a queue are claimed. */
export function queueMode(
  database: MemoryDatabase,
  { namespace, queue }: { namespace: string; queue: string },
): QueueMode {
  return database.queues.get(nameKey(namespace, queue))?.mode ?? "free";
}

/** Null: it is so already. */
function writeChange(
  database: MemoryDatabase,
  before: QueueRow | undefined,
  request: QueueRequest & { namespace: string; name: string },
): QueueRecord | null {
  const { now } = request;
  const queue = changedQueue(before ? queueRecord(before) : null, request, request);
  if (!queue) return null;
  const { namespace, name, settings } = queue;
  const mode = modeOf(queue, waitsForKeys(database, queue));
  const was = before?.settings ?? {};
  const fullAt =
    was.rateLimit && settings.rateLimit ? underRate(before!.fullAt, was.rateLimit, settings.rateLimit, now) : null;
  const keyFullAt = carriedOver(before?.keyFullAt ?? new Map(), was, settings, now);
  database.queues.set(nameKey(namespace, name), { ...queue, mode, fullAt, keyFullAt });
  if (mode === "free") dropGates(database, queue);
  const wasFree = (before?.mode ?? "free") === "free";
  if (mode === "paused" ? before?.mode !== "paused" : mode === "limited" && wasFree) recallUnstarted(database, queue);
  return structuredClone(queue);
}

/** Once nothing limits it and nothing waits for a key any more: whoever likes claims from it from now on. */
export function openQueue(database: MemoryDatabase, row: QueueRow): boolean {
  if (row.mode !== "limited" || modeOf(row, waitsForKeys(database, row)) !== "free") return false;
  row.mode = "free";
  dropGates(database, row);
  return true;
}

const lanesOf = (database: MemoryDatabase, { namespace, name }: QueueRecord): number[] =>
  database.lanes.filter((lane) => lane.namespace === namespace && lane.queue === name).map(({ id }) => id);

function waitsForKeys(database: MemoryDatabase, queue: QueueRecord): boolean {
  const gates = lanesOf(database, queue).flatMap((lane) => [...(database.keyGates.get(lane)?.values() ?? [])]);
  return gates.some(({ gateId }) => (database.parked.get(gateId)?.size ?? 0) > 0);
}

function dropGates(database: MemoryDatabase, queue: QueueRecord): void {
  for (const lane of lanesOf(database, queue)) database.keyGates.delete(lane);
}

/** Those whose buckets are not full. */
function carriedOver(
  fullAt: Map<string, number>,
  { rateLimitPerKey: before }: QueueSettings,
  { rateLimitPerKey: after }: QueueSettings,
  now: number,
): Map<string, number> {
  if (!before || !after) return new Map();
  const entries = [...fullAt].flatMap(([key, at]): [string, number][] => {
    const carried = underRate(at, before, after, now);
    return carried === null ? [] : [[key, carried]];
  });
  return new Map(entries);
}

/** To be claimed as is now allowed. */
function recallUnstarted(database: MemoryDatabase, { namespace, name }: QueueRecord): void {
  for (const row of heldOf(database, { namespace, queue: name })) {
    if (row.state === "claimed") changeTask(database, row, { recall: row.recall ?? "return" });
  }
}

function queueRecord({ mode: _, fullAt: __, keyFullAt: ___, ...queue }: QueueRow): QueueRecord {
  return structuredClone(queue);
}
