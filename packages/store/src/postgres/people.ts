/**
 * Verbs of people on one task. Each writes with a statement that locks the row before it looks at the state: a claim or an outcome
 * that is about to commit is waited for (milliseconds) and seen. The answer's task is read afterwards, so it may have moved on already.
 */
import { CarillonError, type Id, isFinal, limits, type StoredState } from "@carillon/core";
import type { TaskPatch, TaskRecord, VerbAnswer } from "../store.ts";
import { type Db, type Statement, sqlState } from "./db.ts";
import { insertIntoArchive, noteEnded } from "./final.ts";
import { finishByAnew, finishByWhenDue } from "./finish-within.ts";
import { lookAtGateOf } from "./gates.ts";
import { isLarge } from "./insert.ts";
import { unparked } from "./limited.ts";
import { withPartitions } from "./partitions.ts";
import { getTask, instant } from "./records.ts";
import { startByWhenDue } from "./start-within.ts";
import { holdWorkflow, reopen } from "./workflow-retry.ts";

export async function cancelTask(
  db: Db,
  namespace: string,
  id: Id,
  { reason, now }: { reason: string | null; now: number },
): Promise<VerbAnswer> {
  const write = () => db.query<Locked>(cancel, [namespace, id, reason, now]);
  return changeLive(db, namespace, id, write, { claimed: "recalled", running: "recalled" });
}

export async function patchTask(db: Db, namespace: string, id: Id, patch: TaskPatch, now: number): Promise<VerbAnswer> {
  const { priority = null, dueAt = null, payload = null, queue = null } = patch;
  const large = isLarge(payload);
  if (queue !== null) await db.query(addLane, [namespace, id, queue]);
  const write = (tx: Db) =>
    tx.query<Locked>(change, [
      namespace,
      id,
      priority,
      dueAt,
      queue,
      patch.payload !== undefined,
      large ? null : payload,
      large ? payload : null,
    ]);
  const changing = () => changeWaiting(db, { namespace, id, now }, write);
  return changeLive(db, namespace, id, changing, { claimed: "recalled", running: "running" });
}

export async function runTaskNow(db: Db, namespace: string, id: Id, now: number): Promise<VerbAnswer> {
  const write = () => changeWaiting(db, { namespace, id, now }, (tx) => tx.query<Locked>(hasten, [namespace, id, now]));
  return changeLive(db, namespace, id, write, { claimed: "running", running: "running" });
}

/** The task keeps its id, its token (which goes on growing), its attempts and its last error. */
export async function retryTask(db: Db, namespace: string, id: Id, now: number): Promise<VerbAnswer> {
  return settle(async () => {
    const task = await getTask(db, namespace, id);
    if (!task) return { kind: "not_found" };
    if (task.state === "claimed" || task.state === "running") return { kind: "running", task };
    if (task.state === "succeeded") return { kind: "final", task };
    if (!isFinal(task.state)) return { kind: "done", task };
    try {
      const attempts = JSON.stringify(task.attempts.slice(-limits.keptAttempts));
      const [moved] = await reviveTask(db, task, [namespace, id, task.finishedAt, now, attempts]);
      const revived = moved ? await getTask(db, namespace, id) : null;
      return revived && { kind: "done", task: revived };
    } catch (error) {
      if (sqlState(error) !== "23505") throw error;
      const detail = `Another task holds the unique key ${task.uniqueKey}.`;
      throw new CarillonError("unique_conflict", { detail, cause: error });
    }
  });
}

/** One of a workflow opens it again; an end that nobody was told of yet never was. */
function reviveTask(db: Db, { workflow, state }: TaskRecord, values: unknown[]): Promise<[Id, untold: boolean][]> {
  if (!workflow) return db.query<[Id, boolean]>(revive, values);
  return db.transaction(async (tx) => {
    await holdWorkflow(tx, workflow.id);
    const rows = await tx.query<[Id, boolean]>(revive, values);
    if (rows[0]?.[1] === false) await reopen(tx, workflow.id, { [state]: 1 });
    return rows;
  });
}

export async function deleteTask(db: Db, namespace: string, id: Id): Promise<VerbAnswer> {
  return settle(async () => {
    const task = await getTask(db, namespace, id);
    if (!task) return { kind: "not_found" };
    if (!isFinal(task.state)) return { kind: "running", task };
    const [gone] = await db.query(forget, [namespace, id, task.finishedAt]);
    return gone ? { kind: "done", task } : null;
  });
}

type Locked = [state: StoredState, session: Id | null];

/** What waits at a gate is judged anew once it is changed. */
function changeWaiting<T>(
  db: Db,
  { namespace, id, now }: { namespace: string; id: Id; now: number },
  write: (tx: Db) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await lookAtGateOf(tx, namespace, id, now);
    return write(tx);
  });
}

/** Carries out `write` on a task that is not final, and reads what became of it. */
async function changeLive(
  db: Db,
  namespace: string,
  id: Id,
  write: () => Promise<Locked[]>,
  held: Record<"claimed" | "running", "recalled" | "running">,
): Promise<VerbAnswer> {
  return settle(async () => {
    const [locked] = await withPartitions(db, write);
    const task = await getTask(db, namespace, id);
    if (!task) return { kind: "not_found" };
    if (!locked) return isFinal(task.state) ? { kind: "final", task } : null;
    const [state, session] = locked;
    if (state !== "claimed" && state !== "running") return { kind: "done", task };
    return held[state] === "recalled" ? { kind: "recalled", task, session: session! } : { kind: "running", task };
  });
}

/** A task may move between hot table and archive between a look and a write (null): then once more. */
async function settle(step: () => Promise<VerbAnswer | null>): Promise<VerbAnswer> {
  for (let tries = 0; tries < 5; tries++) {
    const answer = await step();
    if (answer) return answer;
  }
  throw new CarillonError("unavailable", {
    detail: "The task changes faster than it can be read.",
    retryAfterMs: 1_000,
  });
}

// --------------------------------------------------------------------------------------------------------------- statements

/** In all: `$1` namespace, `$2` id, which leads to the row whatever the planner believes about the size of the table. */
const held = "held as materialized (select id, state, session from task where namespace = $1 and id = $2 for update)";
const waits = "held.state in ('blocked', 'pending', 'waiting')";

const cancel: Statement = {
  name: "cancel_task",
  text: `
with ${held},
gone as (
  delete from task using held where task.id = $2 and task.id = held.id and ${waits} returning task.*),
archived as (${insertIntoArchive("gone", {
    finished_at: instant("$4"),
    state: "'cancelled'",
    cancel_at: instant("$4"),
    reason: "$3",
  })}),${noteEnded("gone", "'cancelled'")},
asked as (
  update task set recall = 'cancel', cancel_at = ${instant("$4")}, reason = $3
    from held
   where task.id = $2 and task.id = held.id and not ${waits} and task.recall is distinct from 'cancel')
select state, session from held`,
};

/** The lane that the task would have in queue `$3`. */
const addLane: Statement = {
  name: "add_lane_for_task",
  text: `
insert into lane (namespace, queue, type, requires, fair)
select lane.namespace, $3, lane.type, lane.requires, lane.fair
  from task join lane on lane.id = task.lane_id
 where task.namespace = $1 and task.id = $2
on conflict do nothing`,
};

/** `$6`: whether there is a new payload, which is `$7` (short, or null) or `$8` (long). */
const change: Statement = {
  name: "change_task",
  text: `
with ${held},
changed as (
  update task
     set ${unparked},
         priority = coalesce($3::smallint, task.priority),
         band = (coalesce($3::smallint, task.priority) + 2) / 3,
         due_at = coalesce(${instant("$4")}, task.due_at),
         start_by = ${startByWhenDue(`coalesce(${instant("$4")}, task.due_at)`)},
         ${finishByWhenDue(`coalesce(${instant("$4")}, task.due_at)`)},
         lane_id = coalesce(
           (select other.id
              from lane join lane other using (namespace, type, requires, fair)
             where lane.id = task.lane_id and other.queue = $5), task.lane_id),
         payload = case when $6 then $7 else task.payload end,
         blobs = case when $6 then (task.blobs & 4) | ($8::text is not null)::int else task.blobs end
    from held
   where task.id = $2 and task.id = held.id and ${waits}),
stored as (
  insert into blob (task_id, kind, data)
  select $2::bigint, 1, $8 from held where ${waits} and $8 is not null
  on conflict (task_id, kind) do update set data = excluded.data),
dropped as (
  delete from blob using held where task_id = $2 and kind = 1 and ${waits} and $6 and $8 is null),
asked as (
  update task set recall = coalesce(task.recall, 'return')
    from held
   where task.id = $2 and task.id = held.id and held.state = 'claimed')
select state, session from held`,
};

const hasten: Statement = {
  name: "run_task_now",
  text: `
with ${held},
changed as (
  update task set due_at = ${instant("$3")}, start_by = ${startByWhenDue(instant("$3"))},
         ${finishByWhenDue(instant("$3"))}
    from held
   where task.id = $2 and task.id = held.id and ${waits} and task.due_at > ${instant("$3")})
select state, session from held`,
};

/** `$3` is its end in whole or fractional milliseconds, which leads to its partition and proves that it is still the one that was read. */
const isFinalTask = `namespace = $1 and id = $2
     and finished_at between ${instant("($3::float8 - 0.5)")} and ${instant("($3::float8 + 0.5)")}`;

const revive: Statement = {
  name: "retry_task",
  text: `
with gone as (
  delete from archive
   where ${isFinalTask} and state in ('failed', 'cancelled', 'skipped')
  returning *),
dropped as (
  delete from blob using gone where task_id = $2 and kind = 2),
untold as (
  delete from ended_task using gone where ended_task.id = $2 and ended_task.id = gone.id returning ended_task.id)
insert into task (id, due_at, token, lane_id, policy_id, attempt, state, band, priority, blobs, trigger, namespace,
                  schedule_id, fire_at, unique_key, payload, error, attempts, tags, extra, start_by, finish_by, raise_at,
                  has_children)
select id, ${instant("$4")}, token, lane_id, policy_id, attempt, 'pending', (priority + 2) / 3, priority, blobs & 5, trigger,
       namespace, schedule_id, fire_at, unique_key, payload, error, $5::jsonb, tags, extra,
       case when attempt = 0 then ${startByWhenDue(instant("$4"), "gone")} end,
       ${finishByAnew(instant("$4"), "gone")},
       coalesce(extra ? 'workflow', false) or exists (select from untold)
  from gone
returning id, exists (select from untold)`,
};

const forget: Statement = {
  name: "delete_task",
  text: `
with gone as (
  delete from archive where ${isFinalTask} returning id),
blobs as (
  delete from blob using gone where task_id = $2),
lines as (
  delete from log_line using gone where task_id = $2),
reported as (
  delete from progress using gone where task_id = $2)
select id from gone`,
};
