/**
 * Tasks that wait for others. A child's row counts the ends that it has yet to hear of, and there is an edge for each of them; its parents
 * carry `has_children`. Whatever ends such a parent notes its end in the same statement (`noteEnded`), and leaves the rest to this file: a
 * mark in `ended_task` is taken, `skip locked`, and its edges are looked for in a statement that begins after the parent's end was
 * committed. A child that was made meanwhile had to lock the parent's row first, so its edge is there by now; one with several parents among
 * the marks is decided once, with all of them. A node that dies in between leaves the mark to the others.
 *
 * Locks, in this order: marks and workflows, passing by what others hold; then children, in id order, before any of their edges is changed.
 */
import {
  type AfterCondition,
  type AfterDecision,
  decideAfter,
  type FinalState,
  type Id,
  idCreatedAt,
  PARENTS,
} from "@carillon/core";
import type { CreatedAs, NewTask, SettledDependencies } from "../store.ts";
import { int8Array } from "./arrays.ts";
import type { Db, Pools, Statement } from "./db.ts";
import { insertIntoArchive, noteEnded } from "./final.ts";
import { finishByWhenDue } from "./finish-within.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { createdSlackMs, instant, ms } from "./records.ts";
import type { EndedRow, ReleasedRow, Settled } from "./settled.ts";
import { startByWhenDue } from "./start-within.ts";
import { whenAny } from "./when-any.ts";
import { countEnds, lockWorkflows, stopWorkflows } from "./workflow-ends.ts";

/** Of a parent with more children the others follow in the next rounds. */
const EDGES_A_ROUND = 2_000;

export async function settleDependencies(
  { control }: Pools,
  catalog: Catalog,
  { now, limit }: { now: number; limit: number },
): Promise<SettledDependencies> {
  const settled = await withPartitions(control, () =>
    whenAny(control, anyEnded, [], async (tx) => {
      const settled: Settled = { released: [], ended: [], recalled: [], more: false };
      await tellEnds(tx, settled, now, limit);
      await stopWorkflows(tx, settled, now, limit);
      // What ended by this may have children of its own.
      if (settled.ended.length > 0) settled.more = true;
      return settled;
    }),
  );
  if (!settled) return { released: [], ended: [], recalled: [], more: false };
  const { released, ended, ...rest } = settled;
  await catalog.learn({ lanes: new Set([...released, ...ended].map(([, laneId]) => laneId)) });
  return {
    ...rest,
    released: released.map(([id, laneId, priority, dueAt]) => ({ id, lane: catalog.lane(laneId), priority, dueAt })),
    ended: ended.map(([id, laneId, state]) => ({ id, lane: catalog.lane(laneId), state })),
  };
}

interface Mark {
  id: Id;
  state: FinalState;
  workflowId: Id | null;
}

async function tellEnds(tx: Db, settled: Settled, now: number, limit: number): Promise<void> {
  const rows = await tx.query<[Id, FinalState, Id | null]>(takeEnded, [limit]);
  if (rows.length === 0) return;
  settled.more = rows.length === limit;
  const found = rows.map(([id, state, workflowId]): Mark => ({ id, state, workflowId }));
  const { locked, busy } = await lockWorkflows(tx, new Set(found.flatMap(({ workflowId }) => workflowId ?? [])));
  const marks = found.filter(({ workflowId }) => workflowId === null || !busy.has(workflowId));
  if (marks.length < found.length) settled.more = true;
  if (marks.length === 0) return;

  const ids = marks.map(({ id }) => id);
  const edges = await tx.query<Edge>(selectEdges, [ids, EDGES_A_ROUND]);
  if (edges.length > 0) await tellChildren(tx, settled, { marks, edges, now });
  if (edges.length === EDGES_A_ROUND) {
    settled.more = true;
    return;
  }
  await tx.query(dropEnded, [ids]);
  if (locked.size > 0) await countEnds(tx, marks, now);
}

type Edge = [parent: Id, child: Id];

async function tellChildren(
  tx: Db,
  settled: Settled,
  { marks, edges, now }: { marks: Mark[]; edges: Edge[]; now: number },
): Promise<void> {
  const children = [...new Set(edges.map(([, child]) => child))];
  const blocked = await tx.query<BlockedRow>(lockBlocked, [children]);
  // As of now: who else had one of them may have decided it, and taken its edges away.
  const told = await tx.query<Edge>(takeEdges, [edges.map(([parent]) => parent), edges.map(([, child]) => child)]);
  const states = new Map(marks.map(({ id, state }) => [id, state]));
  const ends = new Map<Id, FinalState[]>(blocked.map(([id]) => [id, []]));
  for (const [parent, child] of told) ends.get(child)?.push(states.get(parent)!);
  const decided = blocked.flatMap(([id, pending, condition]): Decided[] => {
    const heard = ends.get(id)!;
    if (heard.length === 0) return [];
    return [{ id, left: pending - heard.length, decision: decideAfter(condition, pending, heard) }];
  });
  const { released, skipped } = await carryOut(tx, decided, { now, dueFrom: now });
  settled.released.push(...released);
  settled.ended.push(...skipped);
}

type BlockedRow = [id: Id, pending: number, condition: AfterCondition];

interface Decided {
  id: Id;
  decision: AfterDecision;
  /** So many edges of it are left. */
  left: number;
}

/** @param dueFrom those that may run are not due before; null: they are due when they were to be */
export async function carryOut(
  tx: Db,
  decided: Decided[],
  { now, dueFrom }: { now: number; dueFrom: number | null },
): Promise<{ released: ReleasedRow[]; skipped: EndedRow[] }> {
  const of = (kind: AfterDecision["kind"]) => decided.filter(({ decision }) => decision.kind === kind);
  const waiting = of("wait").map(({ id, left }) => ({ id, left }));
  if (waiting.length > 0) await tx.query(setPending, [waiting.map(({ id }) => id), waiting.map(({ left }) => left)]);
  const early = of("release").flatMap(({ id, left }) => (left > 0 ? [id] : []));
  if (early.length > 0) await dropEdgesOf(tx, early);
  const release = of("release").map(({ id }) => id);
  const skip = of("skip").map(({ id }) => id);
  return {
    released: release.length > 0 ? await tx.query<ReleasedRow>(releaseBlocked, [release, dueFrom]) : [],
    skipped: skip.length > 0 ? await tx.query<EndedRow>(skipBlocked, [skip, now]) : [],
  };
}

// ------------------------------------------------------------------------------------------------------------------ creation

/**
 * Ties tasks that were just inserted as blocked, in this transaction, to those that they come after: a parent that is not final is locked
 * and gets an edge; of one that is final its end counts at once. Answers parents that there are not, and how the tasks stand.
 */
export async function joinParents(
  tx: Db,
  tasks: readonly NewTask[],
  now: number,
): Promise<{ unknown: Id[]; states: Map<Id, CreatedAs["state"]> }> {
  const namespaces = [...new Set(tasks.map(({ namespace }) => namespace))];
  const wanted = new Set(tasks.flatMap(({ after }) => after!));
  const live = new Map<Id, string>();
  const final = new Map<Id, { namespace: string; state: FinalState }>();
  // One that is retried between the two looks is found by the third.
  for (const look of ["live", "final", "live"]) {
    const missing = [...wanted].filter((id) => !live.has(id) && !final.has(id)).sort((a, b) => (a < b ? -1 : 1));
    if (missing.length === 0) break;
    if (look === "live") {
      for (const [id, namespace] of await tx.query<[Id, string]>(lockParents, [missing, namespaces]))
        live.set(id, namespace);
    } else {
      const since = idCreatedAt(missing[0]!) - createdSlackMs;
      const rows = await tx.query<[Id, string, FinalState]>(selectFinal, [missing, since]);
      for (const [id, namespace, state] of rows) final.set(id, { namespace, state });
    }
  }

  const unknown = new Set<Id>();
  const edges: Edge[] = [];
  const decided: Decided[] = [];
  const states = new Map<Id, CreatedAs["state"]>();
  for (const { id, namespace, after = [], when = "all" } of tasks) {
    const ends: FinalState[] = [];
    for (const parent of after) {
      const ended = final.get(parent);
      if (live.get(parent) === namespace) edges.push([parent, id]);
      else if (ended?.namespace === namespace) ends.push(ended.state);
      else unknown.add(parent);
    }
    const left = after.length - ends.length;
    const decision =
      ends.length > 0 ? decideAfter(when, after.length, ends) : ({ kind: "wait", pending: left } as const);
    if (ends.length > 0) decided.push({ id, left, decision });
    states.set(id, decision.kind === "wait" ? "blocked" : decision.kind === "skip" ? "skipped" : undefined);
  }
  if (unknown.size > 0) return { unknown: [...unknown], states };
  if (edges.length > 0) await insertEdges(tx, edges);
  if (decided.length > 0) await carryOut(tx, decided, { now, dueFrom: null });
  return { unknown: [], states };
}

export async function insertEdges(tx: Db, edges: readonly Edge[], deadlineMs = 5_000): Promise<void> {
  const columns = [int8Array(edges.map(([parent]) => parent)), int8Array(edges.map(([, child]) => child))];
  await tx.query(addEdges, columns, { deadlineMs });
}

export async function dropEdgesOf(tx: Db, children: readonly Id[]): Promise<void> {
  await tx.query(dropEdges, [children]);
}

// ------------------------------------------------------------------------------------------------------------------- reading

export async function waitsFor(
  db: Db,
  namespace: string,
  id: Id,
  limit: number,
): Promise<{ tasks: Id[]; count: number }> {
  const rows = await db.query<[Id, count: bigint]>(selectAwaited, [namespace, id, limit]);
  return { tasks: rows.map(([parent]) => parent), count: Number(rows[0]?.[1] ?? 0n) };
}

// ---------------------------------------------------------------------------------------------------------------- statements

const anyEnded: Statement = {
  name: "any_ended_task",
  text: `(select true from ended_task limit 1) union all (select true from workflow where stopping is not null limit 1)`,
};

const takeEnded: Statement = {
  name: "take_ended_tasks",
  text: "select id, state, workflow_id from ended_task order by id limit $1 for update skip locked",
};

const dropEnded: Statement = {
  name: "drop_ended_tasks",
  text: "delete from ended_task where id = any($1::bigint[])",
};

const selectEdges: Statement = {
  name: "select_edges",
  text: `
select parent_id, child_id from dependency where parent_id = any($1::bigint[]) order by parent_id, child_id limit $2`,
};

const lockBlocked: Statement = {
  name: "lock_blocked_tasks",
  text: `
select id, pending_parents, coalesce(extra ->> 'when', 'all') from task
 where id = any($1::bigint[]) and state::text = 'blocked'
 order by id
   for update`,
};

const takeEdges: Statement = {
  name: "take_edges",
  text: `
delete from dependency using unnest($1::bigint[], $2::bigint[]) as x(parent_id, child_id)
 where dependency.parent_id = any($1::bigint[]) and dependency.parent_id = x.parent_id
   and dependency.child_id = x.child_id
returning dependency.parent_id, dependency.child_id`,
};

const dropEdges: Statement = {
  name: "drop_edges_of_children",
  text: "delete from dependency where child_id = any($1::bigint[])",
};

const addEdges: Statement = {
  name: "add_edges",
  text: `
insert into dependency (parent_id, child_id)
select parent_id, child_id from unnest($1::int8[], $2::int8[]) as x(parent_id, child_id)
 order by parent_id, child_id
on conflict (parent_id, child_id) do nothing`,
};

const setPending: Statement = {
  name: "set_pending_parents",
  text: `
update task set pending_parents = x.pending
  from unnest($1::bigint[], $2::int[]) as x(id, pending)
 where task.id = any($1::bigint[]) and task.id = x.id and task.state::text = 'blocked'`,
};

/** Lateness is what comes on top of its parents: one that is due already is due from now on, and its deadlines move with that. */
const dueAfter = `greatest(due_at, ${instant("$2")})`;
const releaseBlocked: Statement = {
  name: "release_blocked_tasks",
  text: `
update task set state = 'pending', pending_parents = 0, due_at = ${dueAfter}, start_by = ${startByWhenDue(dueAfter)},
       ${finishByWhenDue(dueAfter)}
 where id = any($1::bigint[]) and state::text = 'blocked'
returning id, lane_id, priority, ${ms("due_at")}`,
};

const skipBlocked: Statement = {
  name: "skip_blocked_tasks",
  text: `
with gone as (
  delete from task where id = any($1::bigint[]) and state::text = 'blocked' returning task.*),
archived as (${insertIntoArchive("gone", {
    finished_at: instant("$2"),
    state: "'skipped'",
    reason: `'${PARENTS}'`,
  })}
  returning id, lane_id, state),${noteEnded("gone", "'skipped'")},
edges as (
  delete from dependency using gone where dependency.child_id = any($1::bigint[]) and dependency.child_id = gone.id)
select id, lane_id, state from archived order by id`,
};

/** The lock keeps each from ending before its edge is committed. */
const lockParents: Statement = {
  name: "lock_parents",
  text: `
with held as materialized (
  select id, namespace from task
   where id = any($1::bigint[]) and namespace = any($2::text[])
   order by id
     for update),
marked as (
  update task set has_children = true
    from held
   where task.id = any($1::bigint[]) and task.id = held.id and not task.has_children)
select id, namespace from held`,
};

/** None of them is final before `$2`. */
const selectFinal: Statement = {
  name: "select_final_parents",
  text: `
select id, namespace, state from archive
 where id = any($1::bigint[])
   and finished_at >= ${instant("$2")}`,
};

const selectAwaited: Statement = {
  name: "select_awaited_parents",
  text: `
select edge.parent_id, count(*) over ()
  from dependency edge join task on task.id = edge.child_id
 where edge.child_id = $2 and task.namespace = $1 and task.state::text = 'blocked'
 order by edge.parent_id
 limit $3`,
};
