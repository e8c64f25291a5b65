import { type Id, idCreatedAt, type LogFilter, levelsFrom } from "@carillon/core";
import type { FoundLogLine } from "../store.ts";
import { int8Array } from "./arrays.ts";
import type { Db, Statement } from "./db.ts";
import { createdSlackMs, instant, ms } from "./records.ts";

/** Lines of these tasks, in their order; of each the first `most`, oldest first. */
export async function searchLogs(
  db: Db,
  ids: readonly Id[],
  { filter, most }: { filter: LogFilter; most: number },
): Promise<FoundLogLine[]> {
  if (ids.length === 0) return [];
  const oldest = ids.reduce((least, id) => Math.min(least, idCreatedAt(id)), Number.POSITIVE_INFINITY);
  const rows = await db.query<[Id, number, FoundLogLine["level"], string, number]>(search, [
    int8Array([...ids]),
    oldest - createdSlackMs,
    levelsFrom(filter.level),
    filter.text ?? "",
    most,
  ]);
  return rows.map(([id, at, level, message, attempt]) => ({ id, at, level, message, attempt }));
}

/** Lateral, with a limit: a walk through each task's own lines, in the few partitions since the oldest task was made. */
const search: Statement = {
  name: "search_logs",
  text: `
select line.task_id, ${ms("line.at")}, line.level, line.message, line.attempt
  from unnest($1::int8[]) with ordinality as wanted(id, place)
 cross join lateral (
   select task_id, at, seq, level, message, attempt
     from log_line
    where task_id = wanted.id and at >= ${instant("$2")}
      and level = any($3::text[]) and strpos(lower(message), lower($4::text)) > 0
    order by at, seq, attempt, message
    limit $5) line
 order by wanted.place, line.at, line.seq, line.attempt, line.message`,
};
