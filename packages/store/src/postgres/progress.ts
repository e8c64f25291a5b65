/** How far attempts have come: a row beside the task's, since it is written over and over while nothing else about the task changes. */
import type { Progress, TaskRef } from "../store.ts";
import { float8Array, int8Array, textArray } from "./arrays.ts";
import type { Pools, Statement } from "./db.ts";
import { storable } from "./final.ts";
import { instant } from "./records.ts";

export async function recordProgress(pools: Pools, reports: (TaskRef & Progress)[], now: number): Promise<void> {
  // Of several about one attempt the last counts; locks are taken in the order of the ids.
  const latest = [...new Map(reports.map((report) => [`${report.id}/${report.token}`, report])).values()];
  if (latest.length === 0) return;
  latest.sort((a, b) => (a.id < b.id ? -1 : 1));
  await pools.outcomes.query(putProgress, [
    int8Array(latest.map(({ id }) => id)),
    int8Array(latest.map(({ token }) => token)),
    float8Array(latest.map(({ fraction }) => fraction)),
    textArray(latest.map(({ message }) => (message === null ? null : storable(message)))),
    now,
  ]);
}

/** A task may have become final just before its last report is written. */
const putProgress: Statement = {
  name: "put_progress",
  text: `
with report as materialized (
  select * from unnest($1::int8[], $2::int8[], $3::float8[], $4::text[]) as x(task_id, token, fraction, message)),
holder as materialized (
  select id, token from task where id = any($1::int8[])
  union all
  select id, token from archive
   where id = any($1::int8[])
     and finished_at between ${instant("$5")} - interval '1 day' and ${instant("$5")} + interval '1 minute')
insert into progress (task_id, token, at, fraction, message)
select report.task_id, report.token, ${instant("$5")}, report.fraction, report.message
  from report
 where exists (select from holder where holder.id = report.task_id and holder.token = report.token)
 order by report.task_id
on conflict (task_id) do update
   set token = excluded.token, at = excluded.at, fraction = excluded.fraction, message = excluded.message`,
};
