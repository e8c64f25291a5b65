/**
 * Tasks join a workflow that runs, under the lock of its row. Ends of its tasks are told under that lock as well, by statements that begin
 * once they have it: what is still open here is told of later, and by then its new edges are there. So no parent's row is locked. The
 * order is everybody's: the workflow, then those of its tasks that are to wait for more, by id, then edges.
 */
import { type AfterCondition, type Id, limits, type StoredState } from "@carillon/core";
import type { AddAnswer, CreatedAs, NewTask, Store, TaskToAdd } from "../store.ts";
import { answerJoining, type JoiningTask, planJoining, type StoredMember } from "../workflow-addition.ts";
import { FLIGHT_BYTES, sizeOfCreate, waitingCreates } from "./created.ts";
import type { Db, Pools, Statement } from "./db.ts";
import { refusalOf } from "./db-errors.ts";
import { carryOut, insertEdges } from "./dependencies.ts";
import { createGroup, settle } from "./group-commit.ts";
import { insertOf } from "./insert.ts";
import type { Catalog, Numbers } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { instant } from "./records.ts";
import { skipUnstarted } from "./workflow-ends.ts";
import { addMembers, getWorkflow, isMember, membersSince, selectMembers } from "./workflows.ts";

/** For up to 10,000 tasks and 32 MiB. */
const options = { deadlineMs: 15_000 };

interface AddCall {
  namespace: string;
  id: Id;
  request: { tasks: TaskToAdd[]; parent: string | null; now: number };
}

const tasksOf = ({ request: { tasks } }: AddCall) => tasks.map(({ task }) => task);

/** A few at a time, as workflows that are created. */
export function createAddToWorkflow(pools: Pools, catalog: Catalog): Store["addToWorkflow"] {
  const add = createGroup<AddCall, AddAnswer>({
    flights: 2,
    flight: { rows: 1, bytes: FLIGHT_BYTES },
    sizeOf: (call) => sizeOfCreate({ tasks: tasksOf(call), options: { now: 0 } }),
    waiting: waitingCreates(pools.timers),
    run: (entries) => settle(entries, async ([call]) => [await addTasks(pools, catalog, call!)]),
  });
  return async (namespace, id, request) => {
    const call = { namespace, id, request };
    try {
      const tasks = tasksOf(call);
      if (tasks.some(({ requires }) => requires !== undefined)) await catalog.admit(tasks);
      return await add(call);
    } catch (error) {
      throw refusalOf(error);
    }
  };
}

async function addTasks(pools: Pools, catalog: Catalog, call: AddCall): Promise<AddAnswer> {
  const numbers = await catalog.numbersOf(tasksOf(call));
  const answer = await withPartitions(pools.control, () =>
    pools.inserts.transaction((tx) => addUnderLock(tx, numbers, call)),
  );
  if (answer.kind === "not_found" || answer.kind === "refused") return answer;
  return { ...answer, workflow: (await getWorkflow(pools.reads, call.namespace, call.id))! };
}

type Written =
  | { kind: "done"; tasks: CreatedAs[] }
  | { kind: "final" }
  | Extract<AddAnswer, { kind: "refused" | "not_found" }>;

async function addUnderLock(tx: Db, numbers: Numbers, { namespace, id, request }: AddCall): Promise<Written> {
  const { tasks, parent, now } = request;
  const [row] = await tx.query<[open: boolean, stopped: boolean, total: number]>(lockToAdd, [namespace, id]);
  if (!row) return { kind: "not_found" };
  const [open, stopped, total] = row;
  const members = await tx.query<[Id, string]>(selectMembers, [namespace, id], options);
  const known = new Map(members.map(([task, key]) => [key, task]));
  if (tasks.every(({ key }) => known.has(key)))
    return { kind: "done", tasks: answerJoining(tasks, known, [], new Set()) };
  if (!open) return { kind: "final" };

  const plan = planJoining(id, {
    members: await readGraph(tx, namespace, id, members),
    tasks,
    parent,
    children: await childrenOf(tx, id, parent === null ? undefined : known.get(parent)),
  });
  if (plan.kind === "refused") return plan;
  const { joining, spared } = plan;
  const waiting = await lockWaiting(tx, [...plan.dependents, ...spared]);
  const dependents = plan.dependents.filter((member) => waiting.has(member));
  const joined = joining.map(({ task }) => task);
  const { statement, values } = insertOf(joined, numbersFor(joined, tasks, numbers));
  await tx.query(statement, values, options);
  await addMembers(tx, id, joined, total);
  await tie(tx, joining, dependents);
  if (dependents.length > 0) {
    const after = JSON.stringify(joined.map((task) => String(task.id)));
    await tx.query(waitForMore, [dependents, joined.length, after], options);
  }
  if (spared.length > 0) await tx.query(spare, [spared], options);
  const heard = joining.filter(({ task, waitsFor }) => waitsFor.length < (task.after?.length ?? 0));
  const decided = heard.map(({ task, decision, waitsFor }) => ({ id: task.id, decision, left: waitsFor.length }));
  await carryOut(tx, decided, { now, dueFrom: null });
  const skipped = stopped ? await skipUnstarted(tx, id, now, limits.workflowTasks) : [];
  await tx.query(grow, [id, joined.length]);
  return { kind: "done", tasks: answerJoining(tasks, known, joining, new Set(skipped.map(([task]) => task))) };
}

/** Out of those of all that were sent. */
function numbersFor(joined: readonly NewTask[], sent: readonly TaskToAdd[], { lanes, policyIds }: Numbers): Numbers {
  const places = new Map(sent.map(({ task }, index) => [task.id, index]));
  const own = joined.map(({ id }) => places.get(id)!);
  return { lanes: own.map((place) => lanes[place]!), policyIds: own.map((place) => policyIds[place]!) };
}

async function readGraph(tx: Db, namespace: string, id: Id, members: [Id, string][]): Promise<StoredMember[]> {
  type Row = [id: Id, state: StoredState, after: string | null, when: AfterCondition | null, always: boolean | null];
  const rows = await tx.query<Row>(selectGraph, [namespace, id, membersSince(id)], options);
  const byId = new Map(rows.map((row) => [row[0], row]));
  return members.map(([task, key]) => {
    const [, state = null, after = null, when = null, always = false] = byId.get(task) ?? [];
    const parents = after === null ? [] : (JSON.parse(after) as string[]).map(BigInt);
    return { id: task, key, state, after: parents, when: when ?? "all", always: always === true };
  });
}

/** Of the workflow, those that are to be told of this one's end. */
async function childrenOf(tx: Db, id: Id, parent: Id | undefined): Promise<Set<Id>> {
  if (parent === undefined) return new Set();
  return new Set((await tx.query<[Id]>(selectChildren, [parent, id], options)).map(([child]) => child));
}

/** Those that wait as of now; somebody may have cancelled the others. */
async function lockWaiting(tx: Db, members: Id[]): Promise<Set<Id>> {
  if (members.length === 0) return new Set();
  return new Set((await tx.query<[Id]>(lockMembers, [members], options)).map(([member]) => member));
}

async function tie(tx: Db, joining: readonly JoiningTask[], dependents: readonly Id[]): Promise<void> {
  const edges = joining.flatMap(({ task: { id }, waitsFor }): [Id, Id][] => [
    ...waitsFor.map((parent): [Id, Id] => [parent, id]),
    ...dependents.map((child): [Id, Id] => [id, child]),
  ]);
  if (edges.length > 0) await insertEdges(tx, edges, options.deadlineMs);
}

const lockToAdd: Statement = {
  name: "lock_workflow_to_add",
  text: `
select state = 'running' and cancel_at is null, stopped and failed > 0, total
  from workflow where namespace = $1 and id = $2
   for update`,
};

const graphColumns = "id, state::text, extra -> 'after', extra ->> 'when', extra ? 'always'";
const selectGraph: Statement = {
  name: "select_workflow_graph",
  text: `
select ${graphColumns} from task where ${isMember}
union all
select ${graphColumns} from archive where ${isMember} and finished_at >= ${instant("$3")}`,
};

const selectChildren: Statement = {
  name: "select_children_in_workflow",
  text: `
select child_id from dependency
 where parent_id = $1 and child_id = any(array(select task_id from workflow_task where workflow_id = $2))`,
};

const lockMembers: Statement = {
  name: "lock_waiting_members",
  text: `
select id from task
 where id = any($1::bigint[]) and state::text = 'blocked'
 order by id
   for update`,
};

const waitForMore: Statement = {
  name: "wait_for_more",
  text: `
update task
   set pending_parents = pending_parents + $2::int, extra = jsonb_set(extra, '{after}', (extra -> 'after') || $3::jsonb)
 where id = any($1::bigint[]) and state::text = 'blocked'`,
};

const spare: Statement = {
  name: "spare_members",
  text: `update task set extra = extra || '{"always": true}' where id = any($1::bigint[]) and state::text = 'blocked'`,
};

const grow: Statement = {
  name: "grow_workflow",
  text: "update workflow set total = total + $2::int, open = open + $2::int where id = $1",
};
