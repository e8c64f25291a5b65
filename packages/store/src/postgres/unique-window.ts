/**
 * Windows of unique keys (`uniqueFor`): from the creation of its task on a key is taken for so long, whatever becomes of that task; only
 * creates that ask for a window themselves look. Whoever finds a key free locks its row before it looks again, so that of several one
 * creates. A window ends early when its task is forgotten.
 */
import type { Id } from "@carillon/core";
import type { NewTask } from "../store.ts";
import { float8Array, int8Array, textArray } from "./arrays.ts";
import type { Db, Statement } from "./db.ts";

/** Who has a key. */
export interface Holder {
  id: Id;
  type: string;
}

/** A task whose creation opens a window, if nobody has its key. */
interface Asking {
  task: NewTask;
  name: string;
  now: number;
}

export const uniqueName = (task: { namespace: string; uniqueKey: string | null }) =>
  `${task.namespace}\0${task.uniqueKey}`;

export const opensWindow = ({ uniqueKey, uniqueForMs }: NewTask) => uniqueKey !== null && uniqueForMs !== undefined;

/** By unique name, who has it; all others are locked for the rest of the transaction. Before any task is locked. */
export async function takenWindows(
  tx: Db,
  calls: readonly { tasks: NewTask[]; options: { now: number } }[],
): Promise<Map<string, Holder>> {
  const asking = new Map<string, Asking>();
  for (const { tasks, options } of calls) {
    for (const task of tasks.filter(opensWindow)) {
      const name = uniqueName(task);
      if (!asking.has(name)) asking.set(name, { task, name, now: options.now });
    }
  }
  if (asking.size === 0) return new Map();
  const taken = await look(tx, [...asking.values()]);
  const free = [...asking.values()].filter(({ name }) => !taken.has(name));
  if (free.length === 0) return taken;
  await tx.query(lockWindows, namesOf(free));
  // A statement that begins now sees what the lock waited for.
  return new Map([...taken, ...(await look(tx, free))]);
}

async function look(tx: Db, asking: Asking[]): Promise<Map<string, Holder>> {
  const rows = await tx.query<[namespace: string, uniqueKey: string, id: Id, type: string]>(selectWindows, [
    ...namesOf(asking),
    float8Array(asking.map(({ now }) => now)),
  ]);
  return new Map(rows.map(([namespace, uniqueKey, id, type]) => [uniqueName({ namespace, uniqueKey }), { id, type }]));
}

/** For those that were inserted. */
export async function openWindows(tx: Db, opened: { task: NewTask; now: number }[]): Promise<void> {
  if (opened.length === 0) return;
  await tx.query(putWindows, [
    ...namesOf(opened),
    int8Array(opened.map(({ task }) => task.id)),
    textArray(opened.map(({ task }) => task.type)),
    float8Array(opened.map(({ now }) => now)),
    float8Array(opened.map(({ task, now }) => now + task.uniqueForMs!)),
  ]);
}

const namesOf = (asking: { task: NewTask }[]) => [
  textArray(asking.map(({ task }) => task.namespace)),
  textArray(asking.map(({ task }) => task.uniqueKey)),
];

/** Lateral, with a limit: look-ups by key for each, whatever the planner believes about the size of the tables. */
const selectWindows: Statement = {
  name: "select_unique_windows",
  text: `
select w.namespace, w.unique_key, w.task_id, w.type
  from unnest($1::text[], $2::text[], $3::float8[]) as x(namespace, unique_key, now)
 cross join lateral (
   select * from unique_window
    where namespace = x.namespace and unique_key = x.unique_key and expires_at > to_timestamp(x.now / 1000)
    limit 1) w
 cross join lateral (
   (select from task where id = w.task_id)
   union all
   (select from archive where id = w.task_id and finished_at >= w.created_at - interval '1 minute')
   limit 1) remembered`,
};

const lockWindows: Statement = {
  name: "lock_unique_windows",
  text: `
insert into unique_window (namespace, unique_key, task_id, type, created_at, expires_at)
select namespace, unique_key, 0, '', '-infinity', '-infinity'
  from unnest($1::text[], $2::text[]) as x(namespace, unique_key)
 order by namespace collate "C", unique_key collate "C"
on conflict (namespace, unique_key) do update set expires_at = unique_window.expires_at`,
};

const putWindows: Statement = {
  name: "open_unique_windows",
  text: `
insert into unique_window (namespace, unique_key, task_id, type, created_at, expires_at)
select namespace, unique_key, task_id, type, to_timestamp(created_at / 1000), to_timestamp(expires_at / 1000)
  from unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::float8[], $6::float8[])
       as x(namespace, unique_key, task_id, type, created_at, expires_at)
 order by namespace collate "C", unique_key collate "C"
on conflict (namespace, unique_key) do update
   set task_id = excluded.task_id, type = excluded.type, created_at = excluded.created_at,
       expires_at = excluded.expires_at`,
};
