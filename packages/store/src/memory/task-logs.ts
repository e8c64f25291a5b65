import { type Id, type LogFilter, limits, matchesLog } from "@carillon/core";
import type { FoundLogLine, LogLine, Page, TaskRef } from "../store.ts";
import type { MemoryDatabase, TaskLog } from "./database.ts";
import { findTask } from "./tasks.ts";

/** Only lines of whoever holds the task now, or held it when it became final. */
export function appendLogs(database: MemoryDatabase, lines: (TaskRef & LogLine)[]): void {
  for (const { id, token, ...line } of lines) {
    const live = database.tasks.get(id);
    const row = live?.session === null ? undefined : (live ?? database.archive.get(id));
    if (row?.token === token) append(logOf(database, id), line);
  }
}

function append(log: TaskLog, line: LogLine): void {
  if (log.full) return;
  log.bytes += Buffer.byteLength(line.message);
  log.full = log.bytes > limits.taskLogBytes;
  const kept: LogLine = log.full
    ? { ...line, level: "warn", message: "The log is full; later lines are dropped." }
    : line;
  log.lines.push({ ...kept, seq: log.lines.length });
}

function logOf(database: MemoryDatabase, id: Id): TaskLog {
  let log = database.logs.get(id);
  if (!log) database.logs.set(id, (log = { lines: [], bytes: 0, full: false }));
  return log;
}

export function taskLogs(
  database: MemoryDatabase,
  namespace: string,
  id: Id,
  query: { pageSize: number; after: string | null; filter?: LogFilter },
): Page<LogLine> {
  const lines = findTask(database, namespace, id) ? matching(database, id, query.filter) : [];
  const begin = query.after === null ? 0 : lines.findIndex((line) => line.seq === Number(query.after)) + 1;
  const page = lines.slice(begin, begin + query.pageSize);
  return {
    items: page.map(({ seq: _, ...line }) => line),
    next: begin + page.length < lines.length ? String(page.at(-1)!.seq) : null,
  };
}

export function searchLogs(
  database: MemoryDatabase,
  ids: readonly Id[],
  { filter, most }: { filter: LogFilter; most: number },
): FoundLogLine[] {
  return ids.flatMap((id) =>
    matching(database, id, filter)
      .slice(0, most)
      .map(({ seq: _, ...line }) => ({ ...line, id })),
  );
}

/** Oldest first. */
function matching(database: MemoryDatabase, id: Id, filter: LogFilter = {}): TaskLog["lines"] {
  const lines = database.logs.get(id)?.lines ?? [];
  return lines.filter((line) => matchesLog(line, filter)).sort((a, b) => a.at - b.at || a.seq - b.seq);
}
