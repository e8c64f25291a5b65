/** How late tasks started, as nodes counted it. */
import { type Id, latenessBucketsMs, latenessPhases } from "@carillon/core";
import type { LatenessWindow, QueueLateness } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { instant } from "./records.ts";

/** An hour more than anybody may ask about. */
export const LATENESS_KEPT_MS = 25 * 3_600_000;
const ROWS_PER_STATEMENT = 500;
/** Queues in an answer. */
const MAX_QUEUES = 2_000;
const BUCKETS = latenessBucketsMs.length + 1;
const PHASES = latenessPhases.length;

export async function recordLateness(db: Db, writer: Id, windows: LatenessWindow[]): Promise<void> {
  for (let done = 0; done < windows.length; done += ROWS_PER_STATEMENT) {
    const rows = windows
      .slice(done, done + ROWS_PER_STATEMENT)
      .map(({ maxMs, phasesMs, ...row }) => ({ ...row, max_ms: maxMs, phases_ms: phasesMs }));
    await db.query(upsertWindows, [writer, JSON.stringify(rows)]);
  }
}

/** Windows of a version with other buckets are left out. */
export async function lateness(
  db: Db,
  namespace: string,
  { from, to }: { from: number; to: number },
): Promise<QueueLateness[]> {
  const rows = await db.query<[queue: string, maxMs: number, figure: number]>(sumWindows, [
    namespace,
    from,
    to,
    BUCKETS,
    PHASES,
    MAX_QUEUES * (BUCKETS + PHASES),
  ]);
  const queues: QueueLateness[] = [];
  for (let first = 0; first < rows.length; first += BUCKETS + PHASES) {
    const [queue, maxMs] = rows[first]!;
    const figures = rows.slice(first, first + BUCKETS + PHASES).map(([, , figure]) => figure);
    queues.push({ queue, counts: figures.slice(0, BUCKETS), maxMs, phasesMs: figures.slice(BUCKETS) });
  }
  return queues;
}

const upsertWindows: Statement = {
  name: "upsert_lateness",
  text: `
insert into lateness (namespace, at, queue, writer, counts, max_ms, phases_ms)
select namespace, ${instant("at")}, queue, $1, counts, max_ms, phases_ms
  from jsonb_to_recordset($2::jsonb)
    as x(namespace text, at float8, queue text, counts float8[], max_ms float8, phases_ms float8[])
    on conflict (namespace, at, queue, writer)
    do update set counts = excluded.counts, max_ms = excluded.max_ms, phases_ms = excluded.phases_ms`,
};

/** One row for each queue and figure: the buckets first, then the phases. */
const sumWindows: Statement = {
  name: "sum_lateness",
  text: `
select queue, max(max_ms), sum(figure)::float8
  from lateness
 cross join lateral unnest(counts || phases_ms) with ordinality as each(figure, place)
 where namespace = $1 and at >= ${instant("$2")} and at < ${instant("$3")}
   and cardinality(counts) = $4 and cardinality(phases_ms) = $5
 group by queue, place
 order by queue, place
 limit $6`,
};
