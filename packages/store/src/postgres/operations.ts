/** Operations: rows that say what is going on in the background, and how far it has come. */
import type { Id } from "@carillon/core";
import type { NewOperation, OperationPage, OperationRecord, Page } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { instant, ms } from "./records.ts";

export async function createOperation(db: Db, operation: NewOperation, now: number): Promise<OperationRecord> {
  const { id, namespace, kind, scheduleId, request, matched } = operation;
  await db.query(insertOperation, [id, namespace, kind, scheduleId, request, matched, now]);
  return (await getOperation(db, namespace, id))!;
}

export async function getOperation(db: Db, namespace: string, id: Id): Promise<OperationRecord | null> {
  const [row] = await db.query(selectOperation, [namespace, id]);
  return row ? toOperation(row) : null;
}

export async function listOperations(
  db: Db,
  namespace: string,
  { pageSize, after }: { pageSize: number; after: string | null },
): Promise<Page<OperationRecord>> {
  const rows = await db.query(selectOperations, [namespace, after, pageSize + 1]);
  const items = rows.slice(0, pageSize).map(toOperation);
  return { items, next: rows.length > pageSize ? String(items.at(-1)!.id) : null };
}

export async function cancelOperation(
  db: Db,
  namespace: string,
  id: Id,
  now: number,
): Promise<{ kind: "done" | "final"; operation: OperationRecord } | { kind: "not_found" }> {
  const cancelled = await db.query(cancelRunning, [namespace, id, now]);
  const operation = await getOperation(db, namespace, id);
  if (!operation) return { kind: "not_found" };
  return { kind: cancelled.length > 0 ? "done" : "final", operation };
}

export async function takeOperations(
  db: Db,
  { kind, now, until, limit }: { kind: "bulk"; now: number; until: number; limit: number },
): Promise<OperationRecord[]> {
  const rows = await db.query(takeDue, [kind, now, until, limit]);
  return rows.map(toOperation);
}

export async function moveOperation(db: Db, id: Id, page: OperationPage, now: number): Promise<boolean> {
  const { from, cursor, done, skipped, failed, finished } = page;
  const [moved] = await db.query<[running: boolean]>(countPage, [
    id,
    from,
    cursor,
    done,
    skipped,
    failed,
    finished,
    now,
  ]);
  return moved?.[0] ?? false;
}

export const operationColumns = `operation.id, operation.namespace, operation.kind, operation.state, operation.schedule_id, schedule.name,
       operation.request, operation.cursor, operation.matched, operation.done, operation.skipped, operation.failed,
       ${ms("operation.next_at")}, ${ms("operation.created_at")}, ${ms("operation.finished_at")}`;
export const operationRows = "operation left join schedule on schedule.id = operation.schedule_id";

export function toOperation(row: unknown[]): OperationRecord {
  const [id, namespace, kind, state, scheduleId, scheduleName, request, cursor, ...figures] = row as [
    Id,
    string,
    OperationRecord["kind"],
    OperationRecord["state"],
    Id | null,
    string | null,
    string,
    string | null,
    ...unknown[],
  ];
  const [matched, done, skipped, failed, nextAt, createdAt, finishedAt] = figures as [
    bigint,
    bigint,
    bigint,
    bigint,
    number,
    number,
    number | null,
  ];
  return {
    id,
    namespace,
    kind,
    state,
    scheduleId,
    scheduleName,
    request,
    cursor,
    matched: Number(matched),
    done: Number(done),
    skipped: Number(skipped),
    failed: Number(failed),
    nextAt,
    createdAt,
    finishedAt,
  };
}

const insertOperation: Statement = {
  name: "insert_operation",
  text: `
insert into operation (id, namespace, kind, schedule_id, request, matched, next_at, created_at)
values ($1, $2, $3, $4, $5, $6, ${instant("$7")}, ${instant("$7")})
on conflict (id) do nothing`,
};

const selectOperation: Statement = {
  name: "select_operation",
  text: `select ${operationColumns} from ${operationRows} where operation.namespace = $1 and operation.id = $2`,
};

const selectOperations: Statement = {
  name: "select_operations",
  text: `
select ${operationColumns} from ${operationRows}
 where operation.namespace = $1 and ($2::bigint is null or operation.id < $2)
 order by operation.id desc limit $3`,
};

const cancelRunning: Statement = {
  name: "cancel_operation",
  text: `
update operation set state = 'cancelled', finished_at = ${instant("$3")}
 where namespace = $1 and id = $2 and state = 'running'
returning id`,
};

const takeDue: Statement = {
  name: "take_operations",
  text: `
with due as materialized (
  select id from operation
   where kind = $1 and state = 'running' and next_at <= ${instant("$2")}
   order by next_at, id limit $4
     for update skip locked),
taken as (
  update operation set next_at = ${instant("$3")}
   where id = any(array(select id from due))
  returning *)
select ${operationColumns} from taken ${operationRows} order by operation.id`,
};

/** One that was cancelled meanwhile keeps its end. `$7`: nothing is left. */
const countPage: Statement = {
  name: "count_operation_page",
  text: `
update operation
   set cursor = $3, done = done + $4, skipped = skipped + $5, failed = failed + $6,
       matched = greatest(matched, done + skipped + failed + $4 + $5 + $6), next_at = ${instant("$8")},
       state = case when state = 'running' and $7 then 'done' else state end,
       finished_at = case when state = 'running' and $7 then ${instant("$8")} else finished_at end
 where id = $1 and cursor is not distinct from $2 and (state = 'cancelled' or state = 'running')
returning state = 'running'`,
};
