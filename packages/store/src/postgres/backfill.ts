/**
 * A page of a backfill: its operation's row is locked, `skip locked`, from the look at how far it has come until ledger, tasks and progress
 * are committed together. So a node that dies in between leaves nothing half done, and any other goes on from the same place.
 */
import type { BackfillPage, NewTask, OperationRecord } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { insertTasks } from "./insert.ts";
import type { Catalog } from "./lanes.ts";
import { operationColumns, operationRows, toOperation } from "./operations.ts";
import { withPartitions } from "./partitions.ts";
import { instant, ms } from "./records.ts";
import { whenAny } from "./when-any.ts";

type Plan = (operation: OperationRecord, waiting: number) => BackfillPage | null;

/** `plan` is asked again when the transaction has to begin anew, for a day of the ledger that had no partition yet. */
export async function stepBackfills(
  db: Db,
  catalog: Catalog,
  { now, limit, most }: { now: number; limit: number; most: number },
  plan: Plan,
): Promise<{ running: number; tasks: NewTask[] }> {
  const stepped = await withPartitions(db, () =>
    whenAny(db, anyBackfill, [now], async (tx) => {
      const rows = await tx.query(takeBackfills, [now, limit]);
      // The ledger's rows are taken in the order in which planners take them.
      const ordered = rows.map((row) => ({ operation: toOperation(row), deleted: row.at(-1) as boolean }));
      ordered.sort((a, b) => (a.operation.scheduleId! < b.operation.scheduleId! ? -1 : 1));
      const tasks: NewTask[] = [];
      let running = 0;
      for (const { operation, deleted } of ordered) {
        if (deleted) {
          await tx.query(cancelAbandoned, [operation.id, now]);
          continue;
        }
        // As of this moment, with the tasks that the pages before it have made.
        const [[waiting]] = (await tx.query<[number]>(countWaiting, [operation.scheduleId, now, most])) as [[number]];
        const page = plan(operation, waiting);
        if (page) tasks.push(...(await writePage(tx, catalog, operation, page, now)));
        if (!page?.finished) running++;
      }
      return { running, tasks };
    }),
  );
  return stepped ?? { running: 0, tasks: [] };
}

async function writePage(
  tx: Db,
  catalog: Catalog,
  { id, scheduleId }: OperationRecord,
  { fires, cursor, finished, nextAt }: BackfillPage,
  now: number,
): Promise<NewTask[]> {
  let tasks: NewTask[] = [];
  if (fires.length > 0) {
    const recorded = await tx.query<[fireAt: number]>(backfillFires, [
      scheduleId,
      fires.map(({ fireAt }) => fireAt),
      fires.map(({ task }) => task.id),
      fires.map(({ version }) => version),
    ]);
    const made = new Set(recorded.map(([fireAt]) => fireAt));
    tasks = fires.flatMap(({ fireAt, task }) => (made.has(fireAt) ? [task] : []));
    await insertTasks(tx, catalog, tasks);
  }
  const skipped = fires.length - tasks.length;
  await tx.query(moveOn, [id, cursor, tasks.length, skipped, nextAt, finished ? now : null]);
  return tasks;
}

const due = `operation.kind = 'backfill' and operation.state = 'running' and operation.next_at <= ${instant("$1")}`;

const anyBackfill: Statement = { name: "any_backfill", text: `select true from operation where ${due} limit 1` };

/** `of operation`: the schedule is only looked at. */
const takeBackfills: Statement = {
  name: "take_backfills",
  text: `
select ${operationColumns}, schedule.id is null or schedule.deleted_at is not null
  from ${operationRows}
 where ${due}
 order by operation.next_at, operation.id limit $2
   for update of operation skip locked`,
};

/** Those that wait for another attempt take nothing from anybody meanwhile. */
const countWaiting: Statement = {
  name: "count_backfilled_tasks",
  text: `
select count(*)::int4
  from (select from task
         where schedule_id = $1 and trigger = 'backfill' and due_at <= ${instant("$2")}
         limit $3) waiting`,
};

const backfillFires: Statement = {
  name: "backfill_fires",
  text: `
insert into fire (schedule_id, fire_at, outcome, task_id, version, backfilled)
select $1, to_timestamp(fire_at / 1000), 'task', task_id, version, true
  from unnest($2::float8[], $3::bigint[], $4::int[]) as page (fire_at, task_id, version)
 order by fire_at
on conflict (schedule_id, fire_at) do update
   set outcome = 'task', task_id = excluded.task_id, version = excluded.version, reason = null, caught_up = false,
       backfilled = true
 where fire.outcome <> 'task'
returning ${ms("fire_at")}`,
};

const moveOn: Statement = {
  name: "move_operation_on",
  text: `
update operation
   set cursor = $2, done = done + $3, skipped = skipped + $4, next_at = ${instant("$5")},
       state = case when $6::float8 is null then 'running' else 'done' end, finished_at = ${instant("$6")}
 where id = $1`,
};

const cancelAbandoned: Statement = {
  name: "cancel_abandoned_operation",
  text: `update operation set state = 'cancelled', finished_at = ${instant("$2")} where id = $1`,
};
