/** Tasks that join a workflow while it runs: what is wrong with them, and what they wait for. */
import { type AfterDecision, decideAfter } from "./dependencies.ts";
import type { FieldError } from "./errors.ts";
import { limits } from "./limits.ts";
import { isFinal, type StoredState } from "./states.ts";
import { graphProblems, unstoppable, type WorkflowNode } from "./workflow.ts";

/** A task that the workflow has already. */
export interface WorkflowMember extends WorkflowNode {
  /** Null: it is forgotten. */
  state: StoredState | null;
  /** No failure elsewhere keeps it from running. */
  always: boolean;
}

export interface Addition {
  members: readonly WorkflowMember[];
  /** As they were sent. One whose key the workflow has is left out: the member stays as it is. */
  tasks: readonly WorkflowNode[];
  /** Key of the member that adds them; null: none does. */
  parent: string | null;
  /** Keys of members that have yet to be told of the parent's end: they then come after the new tasks, too. */
  dependents: readonly string[];
}

export interface AddedNode {
  key: string;
  always: boolean;
  /** What it makes of the ends that there are. */
  decision: AfterDecision;
  /** Those whose ends it has yet to hear of. */
  waitsFor: string[];
}

/** By pointers into the request; nothing when they may join. */
export function additionProblems(addition: Addition): FieldError[] {
  const { members, tasks, parent, dependents } = addition;
  const nodes = withTasks(addition);
  const count = (most: number) => most.toLocaleString("en");
  if (nodes.length > limits.workflowTasks) {
    const message = `With these the workflow would have ${count(nodes.length)} tasks, and ${count(limits.workflowTasks)} is the most.`;
    return [{ pointer: "/tasks", code: "too_many", message }];
  }
  const states = new Map(members.map(({ key, state }) => [key, state]));
  const errors: FieldError[] = [];
  if (parent !== null && !states.has(parent))
    errors.push({ pointer: "/parent", code: "unknown_key", message: "No task of this workflow has this key." });
  for (const [index, { key, after }] of tasks.entries()) {
    if (states.has(key)) continue;
    const place = after.findIndex((name) => states.get(name) === null);
    const pointer = `/tasks/${index}/after/${place}`;
    if (place >= 0) errors.push({ pointer, code: "unknown_key", message: "The task of this key is forgotten." });
  }
  errors.push(...graphProblems(nodes));
  const waiting = new Set(dependents);
  const crowded = nodes.find(({ key, after }) => waiting.has(key) && after.length > limits.after);
  if (crowded) {
    const message = `The task ${crowded.key} would come after ${count(crowded.after.length)} others, and ${count(limits.after)} is the most.`;
    errors.push({ pointer: "/tasks", code: "too_many", message });
  }
  return errors.slice(0, MAX_ERRORS);
}

/** How many problems are named. */
const MAX_ERRORS = 100;

/** `spared`: keys of members that wait, and that by this no failure elsewhere stops any more. */
export function planAddition(addition: Addition): { added: AddedNode[]; spared: string[] } {
  const { members, tasks } = addition;
  const always = unstoppable(withTasks(addition));
  const known = new Map(members.map((member) => [member.key, member]));
  const added = tasks
    .filter(({ key }) => !known.has(key))
    .map(({ key, after, when }): AddedNode => {
      const ends = after.flatMap((parent) => {
        const state = known.get(parent)?.state ?? "pending";
        return isFinal(state) ? [{ parent, state }] : [];
      });
      const ended = new Set(ends.map(({ parent }) => parent));
      const waitsFor = after.filter((parent) => !ended.has(parent));
      const states = ends.map(({ state }) => state);
      return { key, always: always.has(key), decision: decide(when, after.length, states), waitsFor };
    });
  const spared = members.filter((member) => member.state === "blocked" && !member.always && always.has(member.key));
  return { added, spared: spared.map(({ key }) => key) };
}

function decide(...[when, parents, ends]: Parameters<typeof decideAfter>): AfterDecision {
  if (parents === 0) return { kind: "release" };
  return ends.length === 0 ? { kind: "wait", pending: parents } : decideAfter(when, parents, ends);
}

/** The workflow as it will be: first what was sent, in its order, which is what pointers count by. */
function withTasks({ members, tasks, dependents }: Addition): (WorkflowNode & { always?: boolean })[] {
  const keys = new Set(members.map(({ key }) => key));
  const fresh = tasks.flatMap(({ key }) => (keys.has(key) ? [] : [key]));
  const waiting = new Set(dependents);
  const known = new Map(
    members.map((member) => {
      const after = waiting.has(member.key) ? [...member.after, ...fresh] : member.after;
      return [member.key, { ...member, after }];
    }),
  );
  const sent = tasks.map((task) => known.get(task.key) ?? task);
  for (const { key } of sent) known.delete(key);
  return [...sent, ...known.values()];
}
