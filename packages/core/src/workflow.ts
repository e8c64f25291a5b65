/** Graphs of tasks: what a submission must be like, and what becomes of one that is run again. */
import { type AfterCondition, decideAfter } from "./dependencies.ts";
import type { FieldError } from "./errors.ts";
import { limits } from "./limits.ts";
import { type FinalState, isFinal, type StoredState } from "./states.ts";

/** `stop`: once a task has failed, those that have not started are skipped, but for what is meant for failures; `continue`: nothing follows. */
export const failurePolicies = ["stop", "continue"] as const;
export type FailurePolicy = (typeof failurePolicies)[number];

export const workflowStates = ["running", "succeeded", "failed", "cancelled"] as const;
export type WorkflowState = (typeof workflowStates)[number];

/** As `reason` of a task that was skipped because another one of its workflow failed. */
export const WORKFLOW_FAILED = "workflow_failed";

export interface WorkflowNode {
  key: string;
  after: readonly string[];
  when: AfterCondition;
}

/** How many problems are named. */
const MAX_ERRORS = 100;

/** What is wrong with the graph, by pointers into `/tasks`; nothing when it can run. */
export function graphProblems(nodes: readonly WorkflowNode[]): FieldError[] {
  const errors: FieldError[] = [];
  const problem = (pointer: string, code: string, message: string) => {
    if (errors.length < MAX_ERRORS) errors.push({ pointer, code, message });
  };
  const places = new Map<string, number>();
  for (const [index, { key }] of nodes.entries()) {
    if (places.has(key))
      problem(`/tasks/${index}/key`, "duplicate_key", `Task ${places.get(key)} has this key already.`);
    else places.set(key, index);
  }
  let edges = 0;
  for (const [index, { after }] of nodes.entries()) {
    edges += after.length;
    for (const [place, key] of after.entries()) {
      if (places.has(key)) continue;
      problem(`/tasks/${index}/after/${place}`, "unknown_key", "No task of this workflow has this key.");
    }
  }
  if (edges > limits.workflowEdges)
    problem("/tasks", "too_many", `A workflow has at most ${limits.workflowEdges.toLocaleString("en")} edges.`);
  if (errors.length > 0) return errors;
  const ordered = new Set(inOrder(nodes));
  for (const [index, node] of nodes.entries()) {
    // Those behind a cycle are not at fault: of the cycle itself everybody waits for somebody who waits for him.
    if (ordered.has(node) || !waitsForItself(node, nodes, places)) continue;
    problem(`/tasks/${index}/after`, "cycle", "It comes after itself, by way of the others.");
    break;
  }
  return errors;
}

/** Parents before children; those of a cycle, and behind one, are missing. */
export function inOrder<Node extends Pick<WorkflowNode, "key" | "after">>(nodes: readonly Node[]): Node[] {
  const waiting = new Map<string, number>();
  const children = new Map<string, Node[]>();
  const ordered: Node[] = [];
  for (const node of nodes) {
    const parents = new Set(node.after);
    waiting.set(node.key, parents.size);
    if (parents.size === 0) ordered.push(node);
    for (const key of parents) {
      const list = children.get(key);
      if (list) list.push(node);
      else children.set(key, [node]);
    }
  }
  for (let next = 0; next < ordered.length; next++) {
    for (const child of children.get(ordered[next]!.key) ?? []) {
      const left = waiting.get(child.key)! - 1;
      waiting.set(child.key, left);
      if (left === 0) ordered.push(child);
    }
  }
  return ordered;
}

function waitsForItself(start: WorkflowNode, nodes: readonly WorkflowNode[], places: Map<string, number>): boolean {
  const seen = new Set<string>();
  const open = [...start.after];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (key === start.key) return true;
    if (seen.has(key)) continue;
    seen.add(key);
    open.push(...nodes[places.get(key)!]!.after);
  }
  return false;
}

/**
 * Keys of those that a failure elsewhere does not stop: they wait for ends of any kind or for failures, or come after one that does. Of
 * those that are `always` it is known.
 */
export function unstoppable(nodes: readonly (WorkflowNode & { always?: boolean })[]): Set<string> {
  const keys = new Set<string>();
  for (const { key, when, after, always = false } of inOrder(nodes)) {
    const meant = after.length > 0 && (when === "all-done" || when === "on-failure");
    if (always || meant || after.some((parent) => keys.has(parent))) keys.add(key);
  }
  return keys;
}

export interface NodeToRetry extends WorkflowNode {
  /** Null: it is forgotten. */
  state: StoredState | null;
}

/** A task that runs again: for how many parents it waits, which are those named; 0: it is due now. */
export interface RetriedNode {
  key: string;
  pending: number;
  waitsFor: string[];
}

/**
 * Which tasks run again: those that failed, were cancelled or were skipped, and whose condition can still become true. What succeeded keeps
 * its result.
 *
 * @param from only these, and what comes after them; null: all
 */
export function retriedNodes(nodes: readonly NodeToRetry[], from: readonly string[] | null): RetriedNode[] {
  const scope = from === null ? null : new Set(from);
  const states = new Map(nodes.map(({ key, state }) => [key, state]));
  const open = new Set(nodes.filter(({ state }) => state !== null && !isFinal(state)).map(({ key }) => key));
  const retried: RetriedNode[] = [];
  for (const { key, state, after, when } of inOrder(nodes)) {
    if (scope && after.some((parent) => scope.has(parent))) scope.add(key);
    if (state === null || !isFinal(state) || state === "succeeded" || scope?.has(key) === false) continue;
    const parents = [...new Set(after)];
    const waitsFor = parents.filter((parent) => open.has(parent));
    const ends = parents
      .filter((parent) => !open.has(parent))
      .map((parent) => (states.get(parent) ?? "skipped") as FinalState);
    const decision = parents.length === 0 ? ({ kind: "release" } as const) : decideAfter(when, parents.length, ends);
    if (decision.kind === "skip") continue;
    open.add(key);
    retried.push(
      decision.kind === "wait" ? { key, pending: decision.pending, waitsFor } : { key, pending: 0, waitsFor: [] },
    );
  }
  return retried;
}
