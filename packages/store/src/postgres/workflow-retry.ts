/** Tasks of a workflow leave the archive again, together; its row is locked, so that no end is counted meanwhile. */
import { type FinalState, type Id, limits } from "@carillon/core";
import { float8Array, int4Array, int8Array, textArray } from "./arrays.ts";
import type { Db, Statement } from "./db.ts";
import { dropEdgesOf, insertEdges } from "./dependencies.ts";
import { finishByAnew } from "./finish-within.ts";
import { finalRows, instant, selectRecords, toRecord } from "./records.ts";

/** For up to 10,000 tasks. */
const DEADLINE_MS = 15_000;

/** Whether its tasks are being ended, and why (null: they are not); undefined: there is none. */
export async function lockWorkflow(
  tx: Db,
  namespace: string,
  id: Id,
): Promise<"failure" | "cancel" | null | undefined> {
  const [row] = await tx.query<["failure" | "cancel" | null]>(takeWorkflow, [namespace, id]);
  return row?.[0];
}

export interface TaskToRevive {
  id: Id;
  state: FinalState;
  finishedAt: number;
  /** It waits for so many, these; 0: it is due now. */
  pending: number;
  parents: Id[];
}

export type RevivedRow = [id: Id, laneId: number, priority: number, blocked: boolean];

/** An end that was noted and not told yet is forgotten: its children go on waiting for the next. */
export async function reviveTasks(tx: Db, workflow: Id, tasks: TaskToRevive[], now: number): Promise<RevivedRow[]> {
  const ordered = tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const ids = ordered.map(({ id }) => id);
  const options = { deadlineMs: DEADLINE_MS };
  const untold = new Set((await tx.query<[Id]>(dropMarks, [int8Array(ids)], options)).map(([id]) => id));
  const ends = ordered.map(({ finishedAt }) => finishedAt);
  const range = [Math.min(...ends), Math.max(...ends)];
  const records = await tx.query(selectEnded, [int8Array(ids), ...range], options);
  const attempts = new Map(records.map(toRecord).map((record) => [record.id, record.attempts]));
  const rows = await tx.query<RevivedRow>(
    reviveMany,
    [
      int8Array(ids),
      float8Array(ends),
      int4Array(ordered.map(({ pending }) => pending)),
      textArray(ids.map((id) => JSON.stringify((attempts.get(id) ?? []).slice(-limits.keptAttempts)))),
      now,
      ...range,
    ],
    options,
  );
  // One that was cancelled alone still has those that it had.
  await dropEdgesOf(tx, ids);
  const edges = ordered.flatMap(({ id, parents }) => parents.map((parent): [Id, Id] => [parent, id]));
  if (edges.length > 0) await insertEdges(tx, edges, DEADLINE_MS);
  const revived = new Set(rows.map(([id]) => id));
  const told = ordered.filter(({ id }) => revived.has(id) && !untold.has(id));
  const counts = { failed: 0, cancelled: 0, skipped: 0, succeeded: 0 };
  for (const { state } of told) counts[state]++;
  await reopen(tx, workflow, counts);
  return rows;
}

/** So many ends that were counted are none any more. */
export async function reopen(tx: Db, workflow: Id, counts: Partial<Record<FinalState, number>>): Promise<void> {
  const { failed = 0, cancelled = 0, skipped = 0 } = counts;
  await tx.query(reopenWorkflow, [workflow, failed, cancelled, skipped]);
}

/** Before its tasks are changed, in the order in which everybody locks. */
export async function holdWorkflow(tx: Db, id: Id): Promise<void> {
  await tx.query(holdById, [id]);
}

const takeWorkflow: Statement = {
  name: "lock_workflow",
  text: "select stopping from workflow where namespace = $1 and id = $2 for update",
};

const holdById: Statement = {
  name: "hold_workflow",
  text: "select id from workflow where id = $1 for update",
};

const dropMarks: Statement = {
  name: "drop_marks_of_ends",
  text: `
with held as materialized (select id from ended_task where id = any($1::int8[]) order by id for update)
delete from ended_task using held where ended_task.id = any($1::int8[]) and ended_task.id = held.id
returning ended_task.id`,
};

/** `$2` and `$3`: when the first and the last of them ended, which lead to their partitions. */
const during = (from: string, to: string) =>
  `finished_at between ${instant(`(${from}::float8 - 0.5)`)} and ${instant(`(${to}::float8 + 0.5)`)}`;

const selectEnded: Statement = {
  name: "select_ended_tasks",
  text: selectRecords(`${finalRows} where id = any($1::int8[]) and ${during("$2", "$3")}`, {
    payload: "null::text",
    result: "null::text",
  }),
};

const reviveMany: Statement = {
  name: "retry_tasks",
  text: `
with gone as (
  delete from archive
   using unnest($1::int8[], $2::float8[], $3::int4[], $4::text[]) as x(id, ended_at, pending, attempts)
   where archive.id = any($1::int8[]) and archive.id = x.id and archive.state in ('failed', 'cancelled', 'skipped')
     and ${during("$6", "$7").replace("finished_at", "archive.finished_at")}
     and ${during("x.ended_at", "x.ended_at").replace("finished_at", "archive.finished_at")}
  returning archive.*, x.pending, x.attempts as all_attempts),
dropped as (
  delete from blob using gone where blob.task_id = any($1::int8[]) and blob.task_id = gone.id and blob.kind = 2)
insert into task (id, due_at, token, lane_id, policy_id, attempt, state, band, priority, blobs, trigger, namespace,
                  schedule_id, fire_at, unique_key, payload, error, attempts, tags, extra, start_by, finish_by,
                  raise_at, has_children, pending_parents)
select id, ${instant("$5")}, token, lane_id, policy_id, attempt,
       case when pending > 0 then 'blocked' else 'pending' end::task_state, (priority + 2) / 3, priority, blobs & 5,
       trigger, namespace, schedule_id, fire_at, unique_key, payload, error, all_attempts::jsonb, tags, extra,
       case when attempt = 0 then ${instant("$5")} + make_interval(secs => extract(epoch from start_by - due_at)::float8) end,
       ${finishByAnew(instant("$5"), "gone")},
       true, pending
  from gone
 order by id
returning id, lane_id, priority, state = 'blocked'`,
};

const reopenWorkflow: Statement = {
  name: "reopen_workflow",
  text: `
update workflow
   set open = open + $2::int + $3::int + $4::int, failed = failed - $2::int, cancelled = cancelled - $3::int,
       skipped = skipped - $4::int, state = 'running', stopped = false, finished_at = null, cancel_at = null, reason = null
 where id = $1`,
};
