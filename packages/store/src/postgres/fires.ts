/** The ledger, as people read it. */
import { type Id, idCreatedAt, invalid, isFinal, type PreviousFire, type StoredState } from "@carillon/core";
import type { Fire, FireFacts, Page } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { createdSlackMs, instant, ms } from "./records.ts";

type FireRow = [
  fireAt: number,
  outcome: Fire["outcome"],
  reason: string | null,
  taskId: Id | null,
  caughtUp: boolean,
  backfilled: boolean,
  version: number,
];

/** A fire outlives its task: `task` is null once the task is forgotten, too. */
export async function listFires(
  db: Db,
  schedule: Id,
  query: { from: number; to: number; outcome?: Fire["outcome"]; pageSize: number; after: string | null },
): Promise<Page<Fire>> {
  const { from, to, outcome = null, pageSize } = query;
  const after = query.after === null ? null : cursorOf(query.after);
  const rows = await db.query<FireRow>(selectFires, [schedule, from, to, after, outcome, pageSize + 1]);
  const page = rows.slice(0, pageSize);
  const tasks = await rememberedTasks(
    db,
    page.flatMap(([, , , taskId]) => taskId ?? []),
  );
  const items = page.map(([fireAt, outcome, reason, taskId, caughtUp, backfilled, version]): Fire => {
    const task = taskId === null ? null : withoutEnd(tasks.get(taskId));
    return { fireAt, outcome, reason, task, caughtUp, backfilled, version };
  });
  return { items, next: rows.length > pageSize ? String(page.at(-1)![0]) : null };
}

export async function latestFires(
  db: Db,
  schedule: Id,
  { from, to, limit }: { from: number; to: number; limit: number },
): Promise<FireFacts[]> {
  const rows = await db.query<[fireAt: number, outcome: Fire["outcome"], taskId: Id | null]>(selectLatestFires, [
    schedule,
    from,
    to,
    limit,
  ]);
  const tasks = await rememberedTasks(
    db,
    rows.flatMap(([, , taskId]) => taskId ?? []),
  );
  return rows.map(([fireAt, outcome, taskId]) => {
    return { fireAt, outcome, task: taskId === null ? null : (tasks.get(taskId) ?? null) };
  });
}

/** The latest one of each of these schedules that was not withdrawn, as far as there is one. */
export async function previousFires(db: Db, schedules: Id[]): Promise<Map<Id, PreviousFire>> {
  if (schedules.length === 0) return new Map();
  const rows = await db.query<[schedule: Id, fireAt: number, taskId: Id | null]>(selectPrevious, [schedules]);
  const tasks = await rememberedTasks(
    db,
    rows.flatMap(([, , taskId]) => taskId ?? []),
  );
  return new Map(
    rows.map(([schedule, fireAt, taskId]) => {
      const task = taskId === null ? undefined : tasks.get(taskId);
      return [schedule, { fireAt, open: task ? !isFinal(task.state) : false, endedAt: task?.finishedAt ?? null }];
    }),
  );
}

function withoutEnd(task: RememberedTask | undefined): Fire["task"] {
  if (!task) return null;
  const { finishedAt: _, ...shown } = task;
  return shown;
}

function cursorOf(text: string): number {
  const fireAt = Number(text);
  if (!/^\d{1,16}$/.test(text)) throw invalid("pageToken", "malformed", "This page token was not made here.");
  return fireAt;
}

export type RememberedTask = NonNullable<FireFacts["task"]>;

/** What is known of these tasks; those that were forgotten are missing. */
export async function rememberedTasks(db: Db, ids: Id[]): Promise<Map<Id, RememberedTask>> {
  if (ids.length === 0) return new Map();
  const oldest = Math.min(...ids.map(idCreatedAt));
  const rows = await db.query<[Id, StoredState, number, number | null, number, number | null]>(selectTasks, [
    ids,
    oldest - createdSlackMs,
  ]);
  return new Map(
    rows.map(([id, state, dueAt, startedAt, failures, finishedAt]) => {
      return [id, { id, state, dueAt, startedAt, failures, finishedAt }];
    }),
  );
}

const selectFires: Statement = {
  name: "select_fires",
  text: `
select ${ms("fire_at")}, outcome, reason, task_id, caught_up, backfilled, version
  from fire
 where schedule_id = $1 and fire_at >= ${instant("$2")} and fire_at < ${instant("$3")}
   and ($4::float8 is null or fire_at > ${instant("$4")})
   and ($5::text is null or outcome = $5)
 order by fire_at limit $6`,
};

const selectPrevious: Statement = {
  name: "select_previous_fires",
  text: `
select schedule.id, last.fire_at, last.task_id
  from unnest($1::bigint[]) as schedule(id)
 cross join lateral (
   select ${ms("fire_at")} as fire_at, task_id from fire
    where schedule_id = schedule.id and outcome <> 'withdrawn'
    order by fire.fire_at desc limit 1) last`,
};

const selectLatestFires: Statement = {
  name: "select_latest_fires",
  text: `
select ${ms("fire_at")}, outcome, task_id
  from fire
 where schedule_id = $1 and fire_at >= ${instant("$2")} and fire_at < ${instant("$3")}
 order by fire_at desc limit $4`,
};

/** `$2` spares the archive's older partitions. */
const selectTasks: Statement = {
  name: "select_remembered_tasks",
  text: `
select id, state, ${ms("due_at")}, ${ms("started_at")}, failures, null::float8 from task where id = any($1::bigint[])
union all
select id, state, ${ms("due_at")}, ${ms("started_at")}, failures, ${ms("finished_at")}
  from archive where id = any($1::bigint[]) and finished_at >= ${instant("$2")}`,
};
