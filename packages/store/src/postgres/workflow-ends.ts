/** What ends of tasks mean for their workflows: they are counted, and a workflow that stops ends what has not started. */
import { type FinalState, type Id, WORKFLOW_FAILED } from "@carillon/core";
import type { Db, Statement } from "./db.ts";
import { insertIntoArchive, noteEnded } from "./final.ts";
import { instant } from "./records.ts";
import type { EndedRow, Settled } from "./settled.ts";

const WORKFLOWS_A_ROUND = 10;

/** Those that somebody else is at are passed by. One that is forgotten is neither. */
export async function lockWorkflows(tx: Db, ids: Set<Id>): Promise<{ locked: Set<Id>; busy: Set<Id> }> {
  if (ids.size === 0) return { locked: new Set(), busy: new Set() };
  const locked = new Set((await tx.query<[Id]>(takeWorkflows, [[...ids]])).map(([id]) => id));
  const others = [...ids].filter((id) => !locked.has(id));
  const there = others.length === 0 ? [] : await tx.query<[Id]>(selectWorkflowIds, [others]);
  return { locked, busy: new Set(there.map(([id]) => id)) };
}

/** Of workflows that are locked. The first failure of one that is to stop then stops it. */
export async function countEnds(
  tx: Db,
  ends: readonly { state: FinalState; workflowId: Id | null }[],
  now: number,
): Promise<void> {
  const counts = new Map<Id, Record<FinalState, number>>();
  for (const { state, workflowId } of ends) {
    if (workflowId === null) continue;
    const count = counts.get(workflowId) ?? { succeeded: 0, failed: 0, cancelled: 0, skipped: 0 };
    count[state]++;
    counts.set(workflowId, count);
  }
  const all = [...counts.values()];
  await tx.query(addEnds, [
    [...counts.keys()],
    all.map(({ succeeded }) => succeeded),
    all.map(({ failed }) => failed),
    all.map(({ cancelled }) => cancelled),
    all.map(({ skipped }) => skipped),
    now,
  ]);
}

/** A page of the tasks of each. */
export async function stopWorkflows(tx: Db, settled: Settled, now: number, limit: number): Promise<void> {
  const stopping = await tx.query<[Id, "failure" | "cancel", string | null]>(takeStopping, [WORKFLOWS_A_ROUND]);
  if (stopping.length === WORKFLOWS_A_ROUND) settled.more = true;
  for (const [id, why, reason] of stopping) {
    const asked: [Id, Id][] = [];
    let count: number;
    if (why === "failure") {
      const ended = await skipUnstarted(tx, id, now, limit);
      settled.ended.push(...ended);
      count = ended.length;
    } else {
      const rows = await tx.query<[...EndedRow, session: Id | null]>(cancelTasksOf, [id, now, reason, limit]);
      for (const [task, laneId, state, session] of rows) {
        if (session === null) settled.ended.push([task, laneId, state]);
        else asked.push([task, session]);
      }
      count = rows.length;
    }
    settled.recalled.push(...asked.map(([task, session]) => ({ id: task, session, reason })));
    if (count === limit) settled.more = true;
    else await tx.query(stopped, [id]);
  }
}

/** Those that were to be stopped by a failure; a page of them. */
export function skipUnstarted(tx: Db, workflow: Id, now: number, limit: number): Promise<EndedRow[]> {
  return tx.query<EndedRow>(skipUnstartedOf, [workflow, now, WORKFLOW_FAILED, limit]);
}

const takeWorkflows: Statement = {
  name: "take_workflows",
  text: "select id from workflow where id = any($1::bigint[]) order by id for update skip locked",
};

const selectWorkflowIds: Statement = {
  name: "select_workflow_ids",
  text: "select id from workflow where id = any($1::bigint[])",
};

const addEnds: Statement = {
  name: "count_workflow_ends",
  text: `
with counted as (
  select workflow.id, open - x.succeeded - x.failed - x.cancelled - x.skipped as open,
         workflow.succeeded + x.succeeded as succeeded, workflow.failed + x.failed as failed,
         workflow.cancelled + x.cancelled as cancelled, workflow.skipped + x.skipped as skipped,
         x.failed > 0 as fails
    from workflow
    join unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::int[]) as x(id, succeeded, failed, cancelled, skipped)
      on x.id = workflow.id
   where workflow.id = any($1::bigint[]))
update workflow
   set open = counted.open, succeeded = counted.succeeded, failed = counted.failed, cancelled = counted.cancelled,
       skipped = counted.skipped,
       state = case when counted.open > 0 then 'running' when counted.failed > 0 then 'failed'
                    when counted.cancelled > 0 or cancel_at is not null then 'cancelled' else 'succeeded' end,
       stopping = case when counted.open = 0 then null
                       when counted.fails and on_failure = 'stop' then coalesce(stopping, 'failure') else stopping end,
       stopped = stopped or (counted.fails and on_failure = 'stop'),
       finished_at = case when counted.open = 0 then ${instant("$6")} end
  from counted
 where workflow.id = any($1::bigint[]) and workflow.id = counted.id`,
};

const takeStopping: Statement = {
  name: "take_stopping_workflows",
  text: "select id, stopping, reason from workflow where stopping is not null order by id limit $1 for update skip locked",
};

const stopped: Statement = {
  name: "workflow_stopped",
  text: "update workflow set stopping = null where id = $1",
};

/** `$1` the workflow, `$4` how many. */
const tasksOf = (columns: string, condition: string) => `
  select ${columns} from task
   where id = any(array(select task_id from workflow_task where workflow_id = $1)) and ${condition}
   order by id + 0 -- Not by the key of the whole table.
   limit $4
     for update`;
const theirEdges = `
  delete from dependency using gone where dependency.child_id = any(array(select id from gone)) and dependency.child_id = gone.id`;

/** What waits for another attempt has started. `always` is what is meant for failures. */
const skipUnstartedOf: Statement = {
  name: "skip_unstarted_of_workflow",
  text: `
with found as materialized (${tasksOf(
    "id",
    "state::text in ('blocked', 'pending', 'waiting') and attempt = 0 and extra -> 'always' is null",
  )}),
gone as (
  delete from task using found
   where task.id = any(array(select id from found)) and task.id = found.id
  returning task.*),
archived as (${insertIntoArchive("gone", {
    finished_at: instant("$2"),
    state: "'skipped'",
    reason: "$3::text",
  })}
  returning id, lane_id, state),${noteEnded("gone", "'skipped'")},
edges as (${theirEdges})
select id, lane_id, state from archived order by id`,
};

const cancelTasksOf: Statement = {
  name: "cancel_tasks_of_workflow",
  text: `
with found as materialized (${tasksOf("id, session", "recall is distinct from 'cancel'")}),
gone as (
  delete from task using found
   where task.id = any(array(select id from found)) and task.id = found.id and found.session is null
  returning task.*),
archived as (${insertIntoArchive("gone", {
    finished_at: instant("$2"),
    state: "'cancelled'",
    cancel_at: instant("$2"),
    reason: "$3::text",
  })}
  returning id, lane_id, state),${noteEnded("gone", "'cancelled'")},
edges as (${theirEdges}),
asked as (
  update task set recall = 'cancel', cancel_at = ${instant("$2")}, reason = $3
    from found
   where task.id = any(array(select id from found)) and task.id = found.id and found.session is not null
  returning task.id, task.lane_id, task.state, task.session)
select id, lane_id, state, null::bigint as session from archived
union all select id, lane_id, state, session from asked
 order by id`,
};
