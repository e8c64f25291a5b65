/** Lines of many tasks: those of the newest tasks first. So many tasks are looked at for a page that it is read in bounded time. */
import { formatId, limits, publicState } from "@carillon/core";
import type { TaskRecord } from "@carillon/store";
import type { FoundLogLineAnswer, SearchLogs } from "../http/schemas/tasks.ts";
import type { Deps } from "./deps.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { toFilter, toLogFilter } from "./tasks.ts";
import { toLogLine } from "./views.ts";

const TASKS_AT_ONCE = 100;
const TASKS_A_PAGE = 1_000;
/** The task's own log has the others. */
const LINES_A_TASK = 20;

/** A page may be short, or empty, and not the last. */
export async function searchLogs(
  deps: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken, level, q, ...asked }: SearchLogs,
): Promise<{ logs: FoundLogLineAnswer[]; nextPageToken: string | null }> {
  const list = ["search-logs", namespace, level, q, asked];
  const filter = toLogFilter({ level, q }) ?? {};
  const now = deps.clock.now();
  const most = Math.min(LINES_A_TASK, pageSize);
  const logs: FoundLogLineAnswer[] = [];
  let after = readPageToken(list, pageToken);
  for (let looked = 0; looked < TASKS_A_PAGE; looked += TASKS_AT_ONCE) {
    const page = await deps.store.listTasks(namespace, {
      filter: toFilter(asked),
      now,
      pageSize: TASKS_AT_ONCE,
      after,
    });
    const ids = page.items.map(({ id }) => id);
    const found = await deps.store.searchLogs(ids, { filter, most });
    for (const task of page.items) {
      const lines = found.filter(({ id }) => id === task.id);
      // A task's lines stand on one page.
      if (logs.length + lines.length > pageSize) return { logs, nextPageToken: writePageToken(list, after) };
      logs.push(...lines.map((line) => ({ ...toLogLine(line), task: named(task, now) })));
      after = String(task.id);
    }
    if (page.next === null) return { logs, nextPageToken: null };
    after = page.next;
  }
  return { logs, nextPageToken: writePageToken(list, after) };
}

function named(task: TaskRecord, now: number): FoundLogLineAnswer["task"] {
  return { id: formatId("task", task.id), type: task.type, queue: task.queue, state: publicState(task, now) };
}
