/** Targets that tasks call: their breakers, and the tasks that wait for them. */
import type { Id } from "@carillon/core";
import {
  bandOf,
  type Page,
  type ParkedTask,
  type ReleasedTask,
  type TargetChange,
  type TargetRecord,
  type TargetSummary,
} from "../store.ts";
import { type MemoryDatabase, nameKey, type TaskRow } from "./database.ts";
import { changeTask, finishTask, heldTask } from "./rows.ts";

export function setTarget(database: MemoryDatabase, change: TargetChange, now: number): void {
  const before = targetOf(database, change);
  const { id, namespace, name, state, until, trips, reason } = change;
  const bothOpen = before?.state === "open" && state === "open";
  database.targets.set(before?.id ?? id, {
    id: before?.id ?? id,
    namespace,
    name,
    state,
    since: before?.state === state ? before.since : now,
    until: bothOpen ? Math.max(before.until!, until!) : until,
    trips,
    reason: reason ?? before?.reason ?? null,
  });
}

export function probeTarget(database: MemoryDatabase, id: Id, { now, until }: { now: number; until: number }): boolean {
  const target = database.targets.get(id);
  if (!target || target.state === "closed" || target.until! > now) return false;
  Object.assign(target, { state: "half-open", since: target.state === "half-open" ? target.since : now, until });
  return true;
}

export function watchedTargets(database: MemoryDatabase): (TargetRecord & { waiting: boolean })[] {
  return [...database.targets.values()]
    .map((target) => ({ ...target, waiting: waitingFor(database, target.id).length > 0 }))
    .filter(({ state, waiting }) => state !== "closed" || waiting)
    .sort((a, b) => a.since - b.since);
}

export function listTargets(
  database: MemoryDatabase,
  namespace: string,
  { pageSize, after, cap }: { pageSize: number; after: string | null; cap: number },
): Page<TargetSummary> {
  const found = [...database.targets.values()]
    .filter((target) => target.namespace === namespace && (after === null || target.name > after))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = found.slice(0, pageSize).map((target) => {
    return { ...target, waiting: Math.min(cap, waitingFor(database, target.id).length) };
  });
  return { items, next: found.length > pageSize ? items.at(-1)!.name : null };
}

export function parkTasks(database: MemoryDatabase, session: Id, tasks: ParkedTask[], now: number): Id[] {
  for (const { target } of tasks) {
    const known = targetOf(database, target);
    if (known?.state === "closed" && known.since < now - 3_600_000) known.since = now;
    if (known) continue;
    database.targets.set(target.id, { ...target, state: "closed", since: now, until: null, trips: 0, reason: null });
  }
  const parked: Id[] = [];
  for (const { target, reason, ...ref } of tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const row = heldTask(database, ref);
    if (row?.session !== session) continue;
    parked.push(row.id);
    const attempt = row.attempt - 1;
    if (row.recall === "cancel") {
      const finishedAt = row.cancelAt!;
      finishTask(database, row, { state: "cancelled", finishedAt, attempt, startedAt: null, worker: null });
      continue;
    }
    changeTask(database, row, {
      state: "waiting",
      session: null,
      recall: null,
      cancelAt: null,
      startedAt: null,
      worker: null,
      attempt,
      gateId: targetOf(database, target)!.id,
      reason,
    });
  }
  return parked;
}

export function releaseParked(
  database: MemoryDatabase,
  { target, limit, now }: { target: Id; limit: number; now: number },
): ReleasedTask[] {
  return waitingFor(database, target)
    .sort((a, b) => bandOf(a.priority) - bandOf(b.priority) || a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1))
    .slice(0, limit)
    .map((row) => {
      const dueAt = Math.max(row.dueAt, now);
      changeTask(database, row, { state: "pending", gateId: null, reason: null, dueAt });
      return { lane: row.lane, priority: row.priority, dueAt };
    });
}

/** Forgets those that have been well since before then. */
export function forgetTargets(database: MemoryDatabase, until: number): void {
  for (const { id, state, since } of database.targets.values()) {
    if (state === "closed" && since < until && waitingFor(database, id).length === 0) database.targets.delete(id);
  }
}

function targetOf(database: MemoryDatabase, { namespace, name }: { namespace: string; name: string }) {
  const key = nameKey(namespace, name);
  return [...database.targets.values()].find((target) => nameKey(target.namespace, target.name) === key) ?? null;
}

function waitingFor(database: MemoryDatabase, target: Id): TaskRow[] {
  return [...(database.parked.get(target) ?? [])].map((id) => database.tasks.get(id)!);
}
