/** What people do to all tasks that match a filter: counted at first, then carried out in the background, the newest first. */
import { CarillonError, formatId, limits, type PublicState } from "@carillon/core";
import type { OperationPage, OperationRecord, TaskRecord } from "@carillon/store";
import type { BulkAction, BulkTasks, TaskFilterBody } from "../http/schemas/bulk.ts";
import type { Deps } from "./deps.ts";
import { isOfGroup, newestTasks } from "./failures.ts";
import { cancelTask, patchTask, retryTask, runTaskNow, toFilter } from "./tasks.ts";

/** Kept with the operation. */
export interface BulkRequest {
  filter: TaskFilterBody;
  action: BulkAction;
  reason: string | null;
  /** Where the first page begins: tasks that were made later are not meant. */
  first: string;
}

/** Where a verb finds something to do; the dashboard's `services/bulk.ts` offers its buttons by the same table. */
const concerned: Record<ActionName, readonly PublicState[]> = {
  cancel: ["blocked", "scheduled", "queued", "running", "retrying"],
  retry: ["failed", "cancelled", "skipped"],
  "run-now": ["scheduled", "retrying"],
  priority: ["blocked", "scheduled", "queued", "retrying"],
};
/** Where a task's error says how it stands, and not what happened once. */
const failing: readonly PublicState[] = ["failed", "retrying"];

export type ActionName = Exclude<BulkAction, object> | "priority";
export const nameOf = (action: BulkAction): ActionName => (typeof action === "string" ? action : "priority");

export async function toBulkRequest(
  { store, clock }: Deps,
  namespace: string,
  { filter: given, action, reason }: BulkTasks,
): Promise<BulkRequest> {
  const states = concerned[nameOf(action)]
    .filter((state) => given.state?.includes(state) ?? true)
    .filter((state) => given.fingerprint === undefined || failing.includes(state));
  const filter = { ...given, state: states };
  const query = { filter: toFilter(filter), now: clock.now(), pageSize: 1, after: null };
  const newest = states.length === 0 ? undefined : (await store.listTasks(namespace, query)).items[0];
  return { filter, action, reason: reason ?? null, first: newest ? String(newest.id + 1n) : NONE };
}

/** No id is smaller. */
const NONE = "0";

export const readBulkRequest = ({ request }: OperationRecord): BulkRequest => JSON.parse(request);

/** `capped`: there may be more. */
export async function countBulk(
  deps: Deps,
  namespace: string,
  { filter, first }: BulkRequest,
): Promise<{ matched: number; capped: boolean }> {
  if (first === NONE) return { matched: 0, capped: false };
  if (filter.fingerprint !== undefined) return countGroup(deps, namespace, filter);
  const cap = limits.countedTasks;
  const matched = await deps.store.countTasks(namespace, { filter: toFilter(filter), now: deps.clock.now(), cap });
  return { matched, capped: matched === cap };
}

/** What the store cannot tell apart is counted here. */
async function countGroup(deps: Deps, namespace: string, filter: TaskFilterBody) {
  const count = { matched: 0, capped: false };
  for await (const { tasks, last } of newestTasks(deps, namespace, toFilter(filter))) {
    count.matched += tasks.filter((task) => isOfGroup(task, filter.fingerprint)).length;
    count.capped = !last;
  }
  return count;
}

const TASKS_A_PAGE = 100;
/** The store's connections for this are few, and planners need them too. */
const AT_ONCE = 2;

/**
 * Each verb may be given again: a page that somebody leaves behind, because he dies, is stopped or is refused by the store, is done once
 * more by whoever comes next. `error`: what broke it off; what was done until then is counted.
 */
export async function bulkPage(
  deps: Deps,
  operation: OperationRecord,
  stopping: AbortSignal,
): Promise<OperationPage & { error?: unknown }> {
  const { filter, action, reason, first } = readBulkRequest(operation);
  const { namespace, cursor } = operation;
  const count = { done: 0, skipped: 0, failed: 0 };
  const query = { filter: toFilter(filter), now: deps.clock.now(), pageSize: TASKS_A_PAGE, after: cursor ?? first };
  const { items, next } = first === NONE ? { items: [], next: null } : await deps.store.listTasks(namespace, query);
  const left = items.filter((task) => isOfGroup(task, filter.fingerprint));
  const errors: unknown[] = [];
  const hand = async () => {
    while (left.length > 0 && errors.length === 0 && !stopping.aborted) {
      try {
        count[await apply(deps, left.shift()!, { action, reason })]++;
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, hand));
  const [error] = errors;
  if (error !== undefined || left.length > 0) return { from: cursor, cursor, ...count, finished: false, error };
  if (next === null) count.skipped += unmet(operation, count);
  return { from: cursor, cursor: next ?? NONE, ...count, finished: next === null };
}

/** Those that matched at the beginning, and had changed before their page came. */
function unmet(
  { matched, ...before }: OperationRecord,
  count: { done: number; skipped: number; failed: number },
): number {
  if (matched >= limits.countedTasks) return 0;
  const met = before.done + before.skipped + before.failed + count.done + count.skipped + count.failed;
  return Math.max(0, matched - met);
}

/** `skipped`: it ended, or began to run, before its turn came. */
async function apply(
  deps: Deps,
  { namespace, id }: TaskRecord,
  { action, reason }: Pick<BulkRequest, "action" | "reason">,
): Promise<"done" | "skipped" | "failed"> {
  const task = formatId("task", id);
  try {
    if (action === "cancel") await cancelTask(deps, namespace, task, { reason });
    else if (action === "retry") await retryTask(deps, namespace, task);
    else if (action === "run-now") await runTaskNow(deps, namespace, task);
    else await patchTask(deps, namespace, task, action);
    return "done";
  } catch (error) {
    const code = CarillonError.is(error) ? error.code : null;
    if (code === "task_final" || code === "task_running" || code === "task_not_found") return "skipped";
    if (code === "unique_conflict") return "failed";
    throw error;
  }
}
