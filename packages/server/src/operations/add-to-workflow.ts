/** Tasks join a workflow that runs. Those whose keys it has stay as they are, so that a task may add the same in each of its attempts. */
import { CarillonError, type Id, publicState } from "@carillon/core";
import type { AddAnswer, TaskToAdd } from "@carillon/store";
import { fieldsInvalid } from "../http/field-errors.ts";
import type { AddToWorkflow, WorkflowSummary } from "../http/schemas/workflows.ts";
import type { Deps } from "./deps.ts";
import { newTask } from "./new-task.ts";
import { checkTargets } from "./targets.ts";
import { readWorkflowId, toSummary, workflowNotFound } from "./workflows.ts";

export async function addToWorkflow(
  deps: Deps,
  namespace: string,
  text: string,
  input: AddToWorkflow,
): Promise<WorkflowSummary> {
  const id = readWorkflowId(text);
  checkTargets(deps, input.tasks, (index) => `/tasks/${index}/payload`);
  const now = deps.clock.now();
  const tasks = await tasksToAdd(deps, namespace, input, now);
  const admission = deps.backlog.admit(tasks.map(({ task }) => task));
  if (admission.kind === "refused" && !(await hasAll(deps, namespace, id, tasks))) throw admission.error;
  let answer: AddAnswer | null = null;
  try {
    answer = await deps.store.addToWorkflow(namespace, id, { tasks, parent: input.parent ?? null, now });
  } finally {
    if (admission.kind === "admitted") admission.settle(answer && createdBy(answer, tasks));
  }
  switch (answer.kind) {
    case "not_found":
      throw workflowNotFound(text);
    case "refused":
      throw fieldsInvalid(answer.errors);
    case "final":
      throw new CarillonError("workflow_final", {
        detail:
          answer.workflow.state === "running"
            ? "The workflow is being cancelled."
            : `The workflow has ended: it has ${answer.workflow.state}.`,
      });
  }
  announce(deps, tasks, answer.tasks, now);
  return toSummary(answer.workflow);
}

async function tasksToAdd(deps: Deps, namespace: string, input: AddToWorkflow, now: number): Promise<TaskToAdd[]> {
  const types = await deps.types.of(namespace);
  return input.tasks.map(({ key, after = [], when = "all", ...fields }) => {
    const facts = { namespace, now, declared: types.get(fields.type), trigger: "workflow" as const };
    return { key, after, when, task: newTask(fields, { ...facts, id: deps.ids.next(now) }) };
  });
}

/** What was added before is answered as before, however full its queue is by now. */
async function hasAll({ store }: Deps, namespace: string, id: Id, tasks: readonly TaskToAdd[]): Promise<boolean> {
  const keys = new Set((await store.workflowTasks(namespace, id)).map(({ key }) => key));
  return tasks.every(({ key }) => keys.has(key));
}

function createdBy(answer: AddAnswer, tasks: readonly TaskToAdd[]): { created: boolean }[] {
  return answer.kind === "done" ? answer.tasks : tasks.map(() => ({ created: false }));
}

function announce(
  { dispatcher, feed }: Deps,
  tasks: readonly TaskToAdd[],
  answers: Extract<AddAnswer, { kind: "done" }>["tasks"],
  now: number,
): void {
  const added = tasks.flatMap(({ task }, index) => (answers[index]!.created ? [{ task, ...answers[index]! }] : []));
  const due = added.filter(({ state }) => state === undefined).map(({ task }) => task);
  if (due.length > 0) dispatcher?.noticeCreated(due);
  for (const { task, state = "pending" } of added) {
    const { id, namespace, dueAt } = task;
    feed.taskChanged(id, namespace, publicState({ state, dueAt, failures: 0 }, now));
  }
}
