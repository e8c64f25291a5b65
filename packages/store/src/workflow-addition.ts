/** Tasks that join a workflow, between core, which knows them by their keys, and stores, which know them by their ids. */
import {
  type AfterCondition,
  type AfterDecision,
  additionProblems,
  type FieldError,
  type Id,
  planAddition,
  type StoredState,
} from "@carillon/core";
import type { CreatedAs, NewTask, TaskToAdd } from "./store.ts";

export interface StoredMember {
  id: Id;
  key: string;
  /** Null: it is forgotten. */
  state: StoredState | null;
  after: readonly Id[];
  when: AfterCondition;
  always: boolean;
}

export interface JoiningTask {
  task: NewTask;
  decision: AfterDecision;
  /** Those whose ends it has yet to hear of. */
  waitsFor: Id[];
}

type JoiningPlan =
  | { kind: "refused"; errors: FieldError[] }
  | {
      kind: "join";
      joining: JoiningTask[];
      /** Members that wait for all of these from now on. */
      dependents: Id[];
      /** Members that no failure elsewhere stops any more. */
      spared: Id[];
    };

/** @param children those to which an edge leads from the parent */
export function planJoining(
  workflow: Id,
  given: {
    members: readonly StoredMember[];
    tasks: readonly TaskToAdd[];
    parent: string | null;
    children: ReadonlySet<Id>;
  },
): JoiningPlan {
  const { members, tasks, parent, children } = given;
  const keys = new Map(members.map(({ id, key }) => [id, key]));
  const dependents = members.filter(({ id, state }) => state === "blocked" && children.has(id));
  const addition = {
    members: members.map(({ key, state, after, when, always }) => ({
      ...{ key, state, when, always },
      after: after.map((id) => keys.get(id)!),
    })),
    tasks,
    parent,
    dependents: dependents.map(({ key }) => key),
  };
  const errors = additionProblems(addition);
  if (errors.length > 0) return { kind: "refused", errors };
  const ids = new Map([...tasks.map(({ key, task }) => [key, task.id] as const), ...members.map(idByKey)]);
  const sent = new Map(tasks.map((each) => [each.key, each]));
  const { added, spared } = planAddition(addition);
  const joining = added.map(({ key, always, decision, waitsFor }): JoiningTask => {
    const { task, after, when } = sent.get(key)!;
    return {
      task: {
        ...task,
        workflow: { id: workflow, key, always },
        ...(after.length > 0 && { after: after.map((parent) => ids.get(parent)!), when }),
      },
      decision,
      waitsFor: waitsFor.map((parent) => ids.get(parent)!),
    };
  });
  return {
    kind: "join",
    joining,
    dependents: dependents.map(({ id }) => id),
    spared: spared.map((key) => ids.get(key)!),
  };
}

const idByKey = ({ key, id }: Pick<StoredMember, "key" | "id">) => [key, id] as const;

/** How those that were sent stand. `skipped`: which of them were ended at once for a failure elsewhere. */
export function answerJoining(
  tasks: readonly TaskToAdd[],
  known: ReadonlyMap<string, Id>,
  joining: readonly JoiningTask[],
  skipped: ReadonlySet<Id>,
): CreatedAs[] {
  const decisions = new Map(joining.map(({ task, decision }) => [task.id, decision.kind]));
  return tasks.map(({ key, task: { id } }) => {
    const member = known.get(key);
    if (member !== undefined) return { id: member, created: false };
    const decision = decisions.get(id);
    if (skipped.has(id) || decision === "skip") return { id, created: true, state: "skipped" };
    return { id, created: true, ...(decision === "wait" && { state: "blocked" as const }) };
  });
}
