/** Failed tasks by what they failed of: the newest of them are read, so that it costs the same however many there are. */
import { fingerprintOf, formatId, formatInstant, limits } from "@carillon/core";
import type { TaskFilter, TaskRecord } from "@carillon/store";
import type { FailureList, ListFailures } from "../http/schemas/failures.ts";
import type { Deps } from "./deps.ts";
import { toFilter } from "./tasks.ts";

/** Tasks that are named of each group, the newest. */
const NAMED = 5;

export async function listFailures(deps: Deps, namespace: string, query: ListFailures): Promise<FailureList> {
  const groups = new Map<string, { oldest: number; newest: number; tasks: TaskRecord[]; count: number }>();
  const filter = toFilter({ ...query, state: ["failed"] });
  let read = 0;
  let complete = false;
  for await (const { tasks, last } of newestTasks(deps, namespace, filter)) {
    for (const task of tasks) {
      const fingerprint = fingerprintOf(task.type, task.error!);
      const endedAt = task.finishedAt!;
      const group = groups.get(fingerprint) ?? { oldest: endedAt, newest: endedAt, tasks: [], count: 0 };
      groups.set(fingerprint, group);
      group.count++;
      group.oldest = Math.min(group.oldest, endedAt);
      group.newest = Math.max(group.newest, endedAt);
      if (group.tasks.length < NAMED) group.tasks.push(task);
    }
    read += tasks.length;
    complete = last;
  }
  const sorted = [...groups].sort(([, a], [, b]) => b.count - a.count || b.newest - a.newest);
  return {
    failures: sorted.slice(0, limits.pageSize).map(([fingerprint, { oldest, newest, tasks, count }]) => {
      const { type, error } = tasks[0]!;
      return {
        fingerprint,
        type,
        error: { code: error!.code, name: error!.name, message: error!.message },
        count,
        firstAt: formatInstant(oldest),
        lastAt: formatInstant(newest),
        tasks: tasks.map(({ id }) => formatId("task", id)),
      };
    }),
    read,
    complete: complete && groups.size <= limits.pageSize,
  };
}

/** With an error, page after page, up to the bound of what is counted. `last`: there are no more. */
export async function* newestTasks(
  { store, clock }: Deps,
  namespace: string,
  filter: TaskFilter,
): AsyncGenerator<{ tasks: TaskRecord[]; last: boolean }> {
  let after: string | null = null;
  for (let read = 0; read < limits.countedTasks; read += limits.pageSize) {
    const query = { filter, now: clock.now(), pageSize: limits.pageSize, after };
    const page: Awaited<ReturnType<typeof store.listTasks>> = await store.listTasks(namespace, query);
    yield { tasks: page.items.filter(({ error }) => error !== null), last: page.next === null };
    if (page.next === null) return;
    after = page.next;
  }
}

export const isOfGroup = ({ type, error }: TaskRecord, fingerprint: string | undefined): boolean =>
  fingerprint === undefined || (error !== null && fingerprintOf(type, error) === fingerprint);
