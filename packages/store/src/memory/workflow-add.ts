import { type Id, limits } from "@carillon/core";
import type { AddAnswer, SettledDependencies, TaskToAdd } from "../store.ts";
import { answerJoining, planJoining, type StoredMember } from "../workflow-addition.ts";
import { admitKinds } from "./create.ts";
import { type MemoryDatabase, setOf } from "./database.ts";
import { carryOut, skipUnstartedOf } from "./dependencies.ts";
import { insertTask } from "./rows.ts";
import { getWorkflow, rowOf } from "./workflows.ts";

export function addToWorkflow(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  { tasks, parent, now }: { tasks: TaskToAdd[]; parent: string | null; now: number },
): AddAnswer {
  admitKinds(
    database,
    tasks.map(({ task }) => task),
  );
  const found = database.workflows.get(id);
  if (found?.namespace !== namespace) return { kind: "not_found" };
  const workflow = () => getWorkflow(database, namespace, id)!;
  const known = new Map(found.tasks.map((member) => [member.key, member.id]));
  if (tasks.every(({ key }) => known.has(key)))
    return { kind: "done", workflow: workflow(), tasks: answerJoining(tasks, known, [], new Set()) };
  if (found.state !== "running" || found.cancelRequestedAt !== null) return { kind: "final", workflow: workflow() };

  const plan = planJoining(id, {
    members: found.tasks.map((member) => memberOf(database, member)),
    tasks,
    parent,
    children: (parent !== null && database.children.get(known.get(parent) ?? 0n)) || new Set(),
  });
  if (plan.kind === "refused") return plan;
  const { joining, dependents, spared } = plan;
  const joined = joining.map(({ task }) => task);
  for (const { task, waitsFor, decision } of joining) {
    const row = insertTask(database, task);
    for (const awaited of waitsFor) setOf(database.children, awaited).add(row.id);
    found.tasks.push({ id: row.id, key: task.workflow!.key });
    if (waitsFor.length < row.after.length) carryOut(database, row, decision, { now, dueFrom: row.dueAt });
  }
  for (const member of dependents) {
    const row = database.tasks.get(member)!;
    row.after.push(...joined.map((task) => task.id));
    row.pendingParents += joined.length;
    for (const task of joined) setOf(database.children, task.id).add(member);
  }
  for (const member of spared) database.tasks.get(member)!.workflow!.always = true;
  found.total += joined.length;
  found.open += joined.length;
  const stopped: Pick<SettledDependencies, "ended"> = { ended: [] };
  if (found.stopped) skipUnstartedOf(database, found, stopped, { now, limit: limits.workflowTasks });
  const skipped = new Set(stopped.ended.map((ended) => ended.id));
  return { kind: "done", workflow: workflow(), tasks: answerJoining(tasks, known, joining, skipped) };
}

function memberOf(database: MemoryDatabase, { id, key }: { id: Id; key: string }): StoredMember {
  const row = rowOf(database, id);
  return {
    id,
    key,
    state: row?.state ?? null,
    after: row?.after ?? [],
    when: row?.when ?? "all",
    always: row?.workflow?.always ?? false,
  };
}
