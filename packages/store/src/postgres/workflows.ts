/** Workflows as people see them: submitted whole, looked at, cancelled, run again. */
import { type FinalState, type Id, idCreatedAt, retriedNodes } from "@carillon/core";
import type { NewTask, NewWorkflow, Page, Store, TaskRecord, WorkflowRecord, WorkflowTask } from "../store.ts";
import { int4Array, int8Array, textArray } from "./arrays.ts";
import { FLIGHT_BYTES, sizeOfCreate, waitingCreates } from "./created.ts";
import type { Db, Pools, Statement } from "./db.ts";
import { refusalOf } from "./db-errors.ts";
import { insertEdges } from "./dependencies.ts";
import { createGroup, settle } from "./group-commit.ts";
import { insertOf } from "./insert.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { createdSlackMs, finalRows, instant, liveRows, ms, selectRecords, toRecord } from "./records.ts";
import { lockWorkflow, reviveTasks } from "./workflow-retry.ts";

/** For up to 10,000 tasks and 32 MiB. */
const DEADLINE_MS = 15_000;

interface WorkflowCall {
  workflow: NewWorkflow;
  tasks: NewTask[];
  now: number;
}

/** A few at a time, as creates of many tasks; how many may wait is bounded like theirs. */
export function createCreateWorkflow(pools: Pools, catalog: Catalog): Store["createWorkflow"] {
  const insert = createGroup<WorkflowCall, WorkflowRecord>({
    flights: 2,
    flight: { rows: 1, bytes: FLIGHT_BYTES },
    sizeOf: ({ tasks }) => sizeOfCreate({ tasks, options: { now: 0 } }),
    waiting: waitingCreates(pools.timers),
    run: (entries) => settle(entries, async ([call]) => [await insertWorkflow(pools, catalog, call!)]),
  });
  return async (workflow, tasks, now) => {
    try {
      if (tasks.some(({ requires }) => requires !== undefined)) await catalog.admit(tasks);
      return await insert({ workflow, tasks, now });
    } catch (error) {
      throw refusalOf(error);
    }
  };
}

async function insertWorkflow(pools: Pools, catalog: Catalog, call: WorkflowCall): Promise<WorkflowRecord> {
  const { workflow, tasks, now } = call;
  const { id, namespace, name, onFailure } = workflow;
  const numbers = await catalog.numbersOf(tasks); // Known from here on, without another connection.
  await withPartitions(pools.control, () =>
    pools.inserts.transaction(async (tx) => {
      const [made] = await tx.query(addWorkflow, [id, namespace, name, onFailure, tasks.length, now]);
      if (!made) return;
      const { statement, values } = insertOf(tasks, numbers);
      await tx.query(statement, values, { deadlineMs: DEADLINE_MS });
      await addMembers(tx, id, tasks);
      const edges = tasks.flatMap(({ id: child, after = [] }) => after.map((parent): [Id, Id] => [parent, child]));
      if (edges.length > 0) await insertEdges(tx, edges, DEADLINE_MS);
    }),
  );
  return (await getWorkflow(pools.reads, namespace, id))!;
}

/** @param from how many there are already */
export async function addMembers(tx: Db, workflow: Id, tasks: readonly NewTask[], from = 0): Promise<void> {
  const columns = [
    int4Array(tasks.map((_, index) => from + index)),
    int8Array(tasks.map((task) => task.id)),
    textArray(tasks.map((task) => task.workflow!.key)),
  ];
  await tx.query(addWorkflowTasks, [workflow, ...columns], { deadlineMs: DEADLINE_MS });
}

export async function getWorkflow(db: Db, namespace: string, id: Id): Promise<WorkflowRecord | null> {
  const [row] = await db.query(selectWorkflow, [namespace, id]);
  return row ? toWorkflow(row) : null;
}

export async function listWorkflows(
  db: Db,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Promise<Page<WorkflowRecord>> {
  const rows = await db.query(selectWorkflows, [namespace, after, pageSize + 1]);
  const items = rows.slice(0, pageSize).map(toWorkflow);
  return { items, next: rows.length > pageSize ? String(items.at(-1)!.id) : null };
}

export async function workflowTasks(db: Db, namespace: string, id: Id): Promise<WorkflowTask[]> {
  const options = { deadlineMs: DEADLINE_MS };
  const members = await db.query<[Id, string]>(selectMembers, [namespace, id], options);
  // Afterwards, so that of what is added meanwhile none seems to be forgotten.
  const rows = await db.query(selectWorkflowTasks, [namespace, id, membersSince(id)], options);
  const records = new Map(rows.map(toRecord).map((record) => [record.id, record]));
  return members.map(([task, key]) => {
    const record = records.get(task);
    return { id: task, key, task: record ? shown(record) : null };
  });
}

/** None of its tasks was final before. */
export const membersSince = (workflow: Id): number => idCreatedAt(workflow) - createdSlackMs;

function shown(record: TaskRecord): NonNullable<WorkflowTask["task"]> {
  const { type, queue, state, reason, dueAt, startedAt, finishedAt, attempt, failures, after, when, error } = record;
  return { type, queue, state, reason, dueAt, startedAt, finishedAt, attempt, failures, after, when, error };
}

export async function cancelWorkflow(
  db: Db,
  namespace: string,
  id: Id,
  { reason, now }: { reason: string | null; now: number },
): ReturnType<Store["cancelWorkflow"]> {
  const asked = await db.query(askToCancel, [namespace, id, reason, now]);
  const workflow = await getWorkflow(db, namespace, id);
  if (!workflow) return { kind: "not_found" };
  return { kind: asked.length > 0 || workflow.cancelRequestedAt !== null ? "done" : "final", workflow };
}

export async function retryWorkflow(
  { control, reads }: Pools,
  catalog: Catalog,
  namespace: string,
  id: Id,
  { from, now }: { from: string[] | null; now: number },
): ReturnType<Store["retryWorkflow"]> {
  const answer = await control.transaction(async (tx) => {
    const stopping = await lockWorkflow(tx, namespace, id);
    if (stopping === undefined) return { kind: "not_found" } as const;
    if (stopping !== null) return { kind: "stopping" } as const;
    // As of now: what ends from here on is not told before this is done.
    const tasks = await workflowTasks(tx, namespace, id);
    const keys = new Map(tasks.map((task) => [task.id, task.key]));
    const byKey = new Map(tasks.map((task) => [task.key, task]));
    const unknown = from?.find((key) => !byKey.has(key));
    if (unknown !== undefined) return { kind: "unknown_key", key: unknown } as const;
    const nodes = tasks.map(({ key, task }) => ({
      key,
      after: task?.after.map((parent) => keys.get(parent)!) ?? [],
      when: task?.when ?? ("all" as const),
      state: task?.state ?? null,
    }));
    const retried = retriedNodes(nodes, from).map(({ key, pending, waitsFor }) => {
      const { id: task, task: before } = byKey.get(key)!;
      const { state, finishedAt } = before!;
      return {
        id: task,
        state: state as FinalState,
        finishedAt: finishedAt!,
        pending,
        parents: waitsFor.map((parent) => byKey.get(parent)!.id),
      };
    });
    const rows = retried.length === 0 ? [] : await reviveTasks(tx, id, retried, now);
    return { kind: "done", rows } as const;
  });
  if (answer.kind === "not_found" || answer.kind === "unknown_key") return answer;
  const workflow = (await getWorkflow(reads, namespace, id))!;
  if (answer.kind === "stopping") return { kind: "stopping", workflow };
  await catalog.learn({ lanes: new Set(answer.rows.map(([, laneId]) => laneId)) });
  const retried = answer.rows.map(([task, laneId, priority, blocked]) => ({
    id: task,
    lane: catalog.lane(laneId),
    priority,
    blocked,
  }));
  return { kind: "done", workflow, retried };
}

const columns = `id, namespace, name, on_failure, state, stopping, ${ms("cancel_at")}, reason, total, open, succeeded, failed, cancelled,
       skipped, ${ms("created_at")}, ${ms("finished_at")}`;
const names = [
  "id",
  "namespace",
  "name",
  "onFailure",
  "state",
  "stopping",
  "cancelRequestedAt",
  "reason",
  "total",
  "open",
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
  "createdAt",
  "finishedAt",
] as const satisfies (keyof WorkflowRecord)[];

function toWorkflow(row: unknown[]): WorkflowRecord {
  return Object.fromEntries(names.map((name, index) => [name, row[index]])) as unknown as WorkflowRecord;
}

const addWorkflow: Statement = {
  name: "add_workflow",
  text: `
insert into workflow (id, namespace, name, on_failure, total, open, created_at)
values ($1, $2, $3, $4, $5, $5, ${instant("$6")})
on conflict (id) do nothing
returning id`,
};

const addWorkflowTasks: Statement = {
  name: "add_workflow_tasks",
  text: `
insert into workflow_task (workflow_id, position, task_id, key)
select $1::bigint, position, task_id, key from unnest($2::int4[], $3::int8[], $4::text[]) as x(position, task_id, key)`,
};

const selectWorkflow: Statement = {
  name: "select_workflow",
  text: `select ${columns} from workflow where namespace = $1 and id = $2`,
};

const selectWorkflows: Statement = {
  name: "select_workflows",
  text: `
select ${columns} from workflow
 where namespace = $1 and ($2::bigint is null or id < $2)
 order by id desc limit $3`,
};

export const selectMembers: Statement = {
  name: "select_workflow_members",
  text: `
select task_id, key from workflow_task
 where workflow_id = (select id from workflow where namespace = $1 and id = $2) order by position`,
};

/** Of the workflow `$2` in namespace `$1`. */
export const isMember = `id = any(array(
    select task_id from workflow_task where workflow_id = (select id from workflow where namespace = $1 and id = $2)))`;
/** One statement over both tables: a task that ends meanwhile is neither missed nor seen twice. */
const selectWorkflowTasks: Statement = {
  name: "select_workflow_tasks",
  text: selectRecords(
    `${liveRows} where ${isMember} union all ${finalRows} where ${isMember} and finished_at >= ${instant("$3")}`,
    { payload: "null::text", result: "null::text" },
  ),
};

const askToCancel: Statement = {
  name: "cancel_workflow",
  text: `
update workflow
   set stopping = 'cancel', reason = $3, cancel_at = ${instant("$4")}
 where namespace = $1 and id = $2 and state = 'running' and cancel_at is null
returning id`,
};
