/** Tasks whose end has a deadline (`finishWithin` of their policy); `finish_by` is null for all others. */
import { finishWithinError, type Id, riseTowards } from "@carillon/core";
import type { DeadlineLook } from "../store.ts";
import { float8Array, int2Array, int8Array, textArray } from "./arrays.ts";
import type { Db, Pools, Statement } from "./db.ts";
import { errorText, insertIntoArchive, noteEnded } from "./final.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { instant, ms } from "./records.ts";
import { whenAny } from "./when-any.ts";

/** Of a policy's body. */
const FINISH_WITHIN_FIELD = "finishWithinMs";

/** Assignments for a row that will be due then: before its first start its deadline goes with it. In seconds, as `startByWhenDue`. */
export const finishByWhenDue = (dueAt: string) =>
  ["finish_by", "raise_at"]
    .map(
      (column) => `${column} = case when task.attempt > 0 then task.${column}
         else ${dueAt} + make_interval(secs => extract(epoch from task.${column} - task.due_at)::float8) end`,
    )
    .join(",\n         ");

/** `finish_by` and `raise_at` of a row that begins anew then; null without a deadline. */
export const finishByAnew = (dueAt: string, row: string) => {
  const after = (share: string) =>
    `case when ${row}.finish_by is not null then ${dueAt} + make_interval(secs => (
         select ${share} * (body::jsonb ->> '${FINISH_WITHIN_FIELD}')::float8 / 1000 from policy where policy.id = ${row}.policy_id)) end`;
  return `${after("1")},\n       ${after("0.5")}`;
};

type DueRow = [
  id: Id,
  laneId: number,
  pending: boolean,
  priority: number,
  dueAt: number,
  finishBy: number,
  finishWithinMs: number,
];

export async function watchDeadlines(
  pools: Pools,
  catalog: Catalog,
  { now, limit }: { now: number; limit: number },
): Promise<DeadlineLook> {
  const found = await withPartitions(pools.control, () =>
    whenAny(pools.control, anyDue, [now], async (tx) => {
      const due = await tx.query<DueRow>(selectDue, [now, limit]);
      await fail(
        tx,
        due.filter((row) => isOver(row, now)),
        now,
      );
      await raise(
        tx,
        due.filter((row) => !isOver(row, now)),
        now,
      );
      return due;
    }),
  );
  const rows = found ?? [];
  await catalog.learn({ lanes: new Set(rows.map(([, laneId]) => laneId)) });
  return {
    failed: rows.filter((row) => isOver(row, now)).map(([id, laneId]) => ({ id, lane: catalog.lane(laneId) })),
    raised: rows.flatMap((row) => {
      const [, laneId, pending, , dueAt] = row;
      const { priority } = risen(row, now);
      return isOver(row, now) || !pending ? [] : [{ lane: catalog.lane(laneId), priority, dueAt }];
    }),
    more: rows.length === limit,
  };
}

const isOver = ([, , , , , finishBy]: DueRow, now: number) => finishBy <= now;

const risen = ([, , , priority, , finishBy, finishWithinMs]: DueRow, now: number) =>
  riseTowards({ priority, finishBy, finishWithinMs }, now);

async function fail(tx: Db, rows: DueRow[], now: number): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(failOverdue, [
    int8Array(rows.map(([id]) => id)),
    textArray(rows.map((row) => errorText(finishWithinError(row[6])))),
    now,
  ]);
}

async function raise(tx: Db, rows: DueRow[], now: number): Promise<void> {
  if (rows.length === 0) return;
  const rises = rows.map((row) => risen(row, now));
  await tx.query(raisePriority, [
    int8Array(rows.map(([id]) => id)),
    int2Array(rises.map(({ priority }) => priority)),
    float8Array(rises.map(({ nextAt }) => nextAt)),
  ]);
}

/** Walks an index of those that wait and have a deadline. What somebody is about to claim is left to its holder. */
const due = `
  from task
 where finish_by is not null and coalesce(raise_at, finish_by) <= ${instant("$1")}
   and state in ('blocked', 'pending', 'waiting')
 order by coalesce(raise_at, finish_by), id`;

const anyDue: Statement = { name: "any_near_deadline", text: `select true ${due} limit 1` };

const selectDue: Statement = {
  name: "select_near_deadline",
  text: `
select id, lane_id, state::text = 'pending', priority, ${ms("due_at")}, ${ms("finish_by")},
       (select (body::jsonb ->> '${FINISH_WITHIN_FIELD}')::float8 from policy where policy.id = task.policy_id) ${due}
 limit $2
   for update skip locked`,
};

const failOverdue: Statement = {
  name: "fail_overdue",
  text: `
with gone as (
  delete from task t using unnest($1::int8[], $2::text[]) as x(id, error)
   where t.id = any($1::int8[]) and t.id = x.id
  returning t.*, x.error as x_error),${noteEnded("gone", "'failed'")}
${insertIntoArchive("gone", { finished_at: instant("$3"), state: "'failed'", error: "t.x_error", reason: "null" })}`,
};

const raisePriority: Statement = {
  name: "raise_priority",
  text: `
update task t
   set priority = x.priority, band = (x.priority + 2) / 3, raise_at = to_timestamp(x.raise_at / 1000)
  from unnest($1::int8[], $2::int2[], $3::float8[]) as x(id, priority, raise_at)
 where t.id = any($1::int8[]) and t.id = x.id`,
};
