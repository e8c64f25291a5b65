/** Tasks that wait for others, and what ends of these make of them. */
import {
  type AfterDecision,
  decideAfter,
  type FinalState,
  type Id,
  isFinal,
  PARENTS,
  type StoredState,
  WORKFLOW_FAILED,
} from "@carillon/core";
import type { CreatedAs, NewTask, SettledDependencies } from "../store.ts";
import { type MemoryDatabase, setOf, type TaskRow } from "./database.ts";
import { changeTask, dueAnew, finishTask } from "./rows.ts";

export function unknownParents(database: MemoryDatabase, tasks: readonly NewTask[]): Id[] {
  const known = (id: Id) => database.tasks.get(id) ?? database.archive.get(id);
  const unknown = tasks.flatMap(({ namespace, after = [] }) =>
    after.filter((id) => known(id)?.namespace !== namespace),
  );
  return [...new Set(unknown)];
}

/** Ties a task that was just inserted to those that it comes after. How it stands, when it is not pending. */
export function joinParents(database: MemoryDatabase, row: TaskRow, now: number): CreatedAs["state"] {
  if (row.state !== "blocked") return undefined;
  const ends: FinalState[] = [];
  for (const id of row.after) {
    const parent = database.tasks.get(id);
    if (parent) {
      parent.hasChildren = true;
      setOf(database.children, id).add(row.id);
    } else ends.push(database.archive.get(id)!.state as FinalState);
  }
  if (ends.length === 0) return "blocked";
  const decision = decideAfter(row.when!, row.pendingParents, ends);
  carryOut(database, row, decision, { now, dueFrom: row.dueAt });
  return decision.kind === "wait" ? "blocked" : decision.kind === "skip" ? "skipped" : undefined;
}

export function carryOut(
  database: MemoryDatabase,
  row: TaskRow,
  decision: AfterDecision,
  { now, dueFrom }: { now: number; dueFrom: number },
): void {
  if (decision.kind === "wait") {
    row.pendingParents = decision.pending;
    return;
  }
  dropEdges(database, row);
  if (decision.kind === "skip") finishTask(database, row, { state: "skipped", finishedAt: now, reason: PARENTS });
  else
    changeTask(database, row, {
      state: "pending",
      pendingParents: 0,
      ...dueAnew(row, Math.max(row.dueAt, dueFrom)),
    });
}

function dropEdges(database: MemoryDatabase, { id, after }: TaskRow): void {
  for (const parent of after) database.children.get(parent)?.delete(id);
}

const byId = (a: { id: Id }, b: { id: Id }) => (a.id < b.id ? -1 : 1);

export function settleDependencies(
  database: MemoryDatabase,
  { now, limit }: { now: number; limit: number },
): SettledDependencies {
  const settled: SettledDependencies = { released: [], ended: [], recalled: [], more: false };
  const marks = [...database.ended]
    .map(([id, end]) => ({ id, ...end }))
    .sort(byId)
    .slice(0, limit);
  settled.more = marks.length === limit;
  const ends = new Map<Id, FinalState[]>();
  for (const { id, state } of marks) {
    for (const child of database.children.get(id) ?? []) {
      const heard = ends.get(child);
      if (heard) heard.push(state);
      else ends.set(child, [state]);
    }
    database.children.delete(id);
    database.ended.delete(id);
  }
  for (const [id, heard] of ends) {
    const row = database.tasks.get(id);
    if (row?.state !== "blocked") continue;
    const decision = decideAfter(row.when!, row.pendingParents, heard);
    carryOut(database, row, decision, { now, dueFrom: now });
    const { lane, priority, dueAt } = row;
    if (decision.kind === "release") settled.released.push({ id, lane, priority, dueAt });
    else if (decision.kind === "skip") settled.ended.push({ id, lane, state: "skipped" });
  }
  countEnds(database, marks, now);
  stopWorkflows(database, settled, now, limit);
  settled.released.sort(byId);
  // What ended by this may have children of its own.
  if (settled.ended.length > 0) settled.more = true;
  return settled;
}

function countEnds(
  database: MemoryDatabase,
  marks: readonly { state: FinalState; workflow: Id | null }[],
  now: number,
): void {
  for (const { state, workflow: id } of marks) {
    const workflow = id === null ? undefined : database.workflows.get(id);
    if (!workflow) continue;
    workflow.open--;
    workflow[state]++;
    if (state === "failed" && workflow.onFailure === "stop") {
      workflow.stopping ??= "failure";
      workflow.stopped = true;
    }
    if (workflow.open > 0) continue;
    const { failed, cancelled, cancelRequestedAt } = workflow;
    workflow.state = failed > 0 ? "failed" : cancelled > 0 || cancelRequestedAt !== null ? "cancelled" : "succeeded";
    workflow.stopping = null;
    workflow.finishedAt = now;
  }
}

export function isStopping(database: MemoryDatabase): boolean {
  return [...database.workflows.values()].some(({ stopping }) => stopping !== null);
}

function stopWorkflows(database: MemoryDatabase, settled: SettledDependencies, now: number, limit: number): void {
  for (const workflow of [...database.workflows.values()].sort(byId)) {
    const { stopping, reason } = workflow;
    if (stopping === null) continue;
    const count =
      stopping === "failure"
        ? skipUnstartedOf(database, workflow, settled, { now, limit })
        : cancelTasksOf(database, workflow, settled, { now, limit, reason });
    if (count < limit) workflow.stopping = null;
    else settled.more = true;
  }
}

type Members = { tasks: { id: Id }[] };
type Ended = Pick<SettledDependencies, "ended">;

function someOf(
  database: MemoryDatabase,
  { tasks }: Members,
  limit: number,
  condition: (row: TaskRow) => boolean,
): TaskRow[] {
  const rows = tasks.flatMap(({ id }) => database.tasks.get(id) ?? []);
  return rows.filter(condition).sort(byId).slice(0, limit);
}

/** Those that a failure elsewhere stops. How many there were. */
export function skipUnstartedOf(
  database: MemoryDatabase,
  workflow: Members,
  settled: Ended,
  { now, limit }: { now: number; limit: number },
): number {
  const found = someOf(database, workflow, limit, isUnstarted);
  for (const row of found) {
    dropEdges(database, row);
    finishTask(database, row, { state: "skipped", finishedAt: now, reason: WORKFLOW_FAILED });
    settled.ended.push({ id: row.id, lane: row.lane, state: "skipped" });
  }
  return found.length;
}

function cancelTasksOf(
  database: MemoryDatabase,
  workflow: Members,
  settled: SettledDependencies,
  { now, limit, reason }: { now: number; limit: number; reason: string | null },
): number {
  const found = someOf(database, workflow, limit, ({ recall }) => recall !== "cancel");
  for (const row of found) {
    const { id, lane, session } = row;
    if (session !== null) {
      changeTask(database, row, { recall: "cancel", cancelAt: now, reason });
      settled.recalled.push({ id, session, reason });
      continue;
    }
    dropEdges(database, row);
    finishTask(database, row, { state: "cancelled", finishedAt: now, reason, cancelAt: now });
    settled.ended.push({ id, lane, state: "cancelled" });
  }
  return found.length;
}

/** What waits for another attempt has started. */
function isUnstarted({ session, attempt, workflow }: TaskRow): boolean {
  return session === null && attempt === 0 && workflow?.always !== true;
}

/** Ends that were counted are none any more. */
export function reopen(database: MemoryDatabase, id: Id, states: readonly StoredState[]): void {
  const workflow = database.workflows.get(id);
  if (!workflow) return;
  for (const state of states) {
    if (!isFinal(state)) continue;
    workflow[state]--;
    workflow.open++;
  }
  const anew = { state: "running", stopped: false, finishedAt: null, cancelRequestedAt: null, reason: null } as const;
  Object.assign(workflow, anew);
}

export function waitsFor(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  limit: number,
): { tasks: Id[]; count: number } {
  const row = database.tasks.get(id);
  if (row?.namespace !== namespace || row.state !== "blocked") return { tasks: [], count: 0 };
  const tasks = row.after.filter((parent) => database.children.get(parent)?.has(id)).sort((a, b) => (a < b ? -1 : 1));
  return { tasks: tasks.slice(0, limit), count: tasks.length };
}
