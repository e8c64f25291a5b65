import { CarillonError, FIRST_SESSION_SLOT, type Id, SLOTS } from "@carillon/core";
import type { OpenedSession, Recall, Session, Store } from "../store.ts";
import { returnUnstarted } from "./claims.ts";
import { isLive, type MemoryDatabase, type TaskRow } from "./database.ts";
import { endedAttempt, finishTask, returnTask, withAttempt } from "./rows.ts";

/** How long leases of a dead session are left to be adopted, in milliseconds. */
const ADOPTION_MS = 1_500;

export function openSession(
  database: MemoryDatabase,
  { node, url, now, starting = false, zoneData = null }: Parameters<Store["openSession"]>[0],
): OpenedSession {
  const rows = [...database.sessions.values()];
  const slot = freeSlot(rows);
  const settled = rows.filter((row) => !row.starting);
  const lastSeenAt = settled.reduce<number | null>((last, row) => Math.max(last ?? row.seenAt, row.seenAt), null);
  const id = ++database.lastSession;
  const fresh = { beat: 0n, seenAt: now, figures: null, workers: [], deadAt: null, closedAt: null };
  database.sessions.set(id, { id, node, url, slot, starting, zoneData, ...fresh });
  return { id, slot, lastSeenAt };
}

/** The one after the last used, so that a slot rests for long before its next owner makes ids with it. */
function freeSlot(rows: { id: Id; slot: number; deadAt: number | null; closedAt: number | null }[]): number {
  const used = new Set(rows.filter((row) => row.deadAt === null && row.closedAt === null).map((row) => row.slot));
  const count = SLOTS - FIRST_SESSION_SLOT;
  const last = (rows.at(-1)?.slot ?? FIRST_SESSION_SLOT - 1) - FIRST_SESSION_SLOT;
  for (let step = 1; step <= count; step++) {
    const slot = FIRST_SESSION_SLOT + ((last + step) % count);
    if (!used.has(slot)) return slot;
  }
  throw new CarillonError("unavailable", { detail: `All ${count} slots for nodes are in use.` });
}

export function renewSession(database: MemoryDatabase, id: Id, now: number): { alive: boolean; recalls: Recall[] } {
  const session = database.sessions.get(id);
  if (!session || !isLive(database, id)) return { alive: false, recalls: [] };
  session.beat++;
  session.seenAt = Math.max(session.seenAt, now);
  return { alive: true, recalls: recalls(database, id) };
}

function recalls(database: MemoryDatabase, id: Id): Recall[] {
  return [...(database.leases.get(id) ?? [])].flatMap((task) => {
    const { token, recall, reason } = database.tasks.get(task)!;
    return recall === null ? [] : [{ id: task, token, what: recall, reason }];
  });
}

export function sessions(database: MemoryDatabase): Session[] {
  return [...database.sessions.values()]
    .filter((row) => row.closedAt === null)
    .map(({ slot: _, seenAt: __, closedAt: ___, figures: ____, workers: _____, ...session }) => session);
}

export function sessionStarted(database: MemoryDatabase, id: Id): void {
  const session = database.sessions.get(id);
  if (session) session.starting = false;
}

export function markSessionDead(database: MemoryDatabase, id: Id, beat: bigint, now: number): boolean {
  const session = database.sessions.get(id);
  if (!session || !isLive(database, id) || session.beat !== beat) return false;
  session.deadAt = now;
  return true;
}

/** One that still holds leases is left to be taken back instead, so that none is forgotten. */
export function closeSession(database: MemoryDatabase, id: Id, now: number): void {
  const session = database.sessions.get(id);
  if (!session || session.closedAt !== null) return;
  if (held(database, id).length === 0) session.closedAt = now;
  else session.deadAt ??= now;
}

export function takeBack(database: MemoryDatabase, id: Id, { now, limit }: { now: number; limit: number }): number {
  const session = database.sessions.get(id);
  if (!session || session.deadAt === null || session.deadAt > now - ADOPTION_MS) return 0;
  const rows = held(database, id).slice(0, limit);
  for (const row of rows) {
    if (row.state === "claimed") returnUnstarted(database, row, now);
    else returnStarted(database, row, now);
  }
  if (held(database, id).length === 0) session.closedAt ??= now;
  return rows.length;
}

/** Its attempt is lost to the node, which is not the task's fault: nothing is counted. */
function returnStarted(database: MemoryDatabase, row: TaskRow, now: number): void {
  if (row.recall === "cancel") {
    finishTask(database, row, { state: "cancelled", finishedAt: now });
    return;
  }
  const { startedAt, worker } = row;
  const attempt = endedAttempt(database, row, { outcome: "lost", startedAt, finishedAt: now, worker, error: null });
  returnTask(database, row, { attempts: withAttempt(row.attempts, attempt) });
}

/** In id order. */
function held(database: MemoryDatabase, id: Id): TaskRow[] {
  return [...(database.leases.get(id) ?? [])]
    .map((task) => database.tasks.get(task)!)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
