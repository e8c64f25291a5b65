/** How rows become final: fragments that the statements share which move tasks from `task` to `archive`. */
import { limits, type TaskError } from "@carillon/core";

/** Columns of `archive`, and for each what it takes from the row that leaves `task`, unless told otherwise. */
const columns = [
  "id",
  "due_at",
  "started_at",
  "finished_at",
  "session",
  "token",
  "lane_id",
  "policy_id",
  "attempt",
  "state",
  "priority",
  "failures",
  "lost",
  "blobs",
  "trigger",
  "namespace",
  "schedule_id",
  "fire_at",
  "start_by",
  "finish_by",
  "cancel_at",
  "worker",
  "unique_key",
  "payload",
  "result",
  "error",
  "reason",
  "attempts",
  "tags",
  "extra",
];
const notOfTask = new Set(["finished_at", "result"]);

/** `gone` is a CTE or table of rows as `task` has them, under the alias `t`; `changes` are expressions by column. */
export function insertIntoArchive(gone: string, changes: Record<string, string>): string {
  const expressions = columns.map((column) => changes[column] ?? (notOfTask.has(column) ? "null" : `t.${column}`));
  return `
insert into archive (${columns.join(", ")})
select ${expressions.join(", ")}
  from ${gone} t`;
}

/**
 * A CTE that goes with every one whose rows leave `task` for good: the ends of those with `has_children` are kept until they are told
 * (`dependencies.ts`). `gone` is as in `insertIntoArchive`; `state` an expression.
 */
export function noteEnded(gone: string, state: string): string {
  return `
noted as (
  insert into ended_task (id, state, workflow_id)
  select t.id, (${state})::task_state, (t.extra ->> 'workflow')::bigint from ${gone} t where t.has_children
  on conflict (id) do update set state = excluded.state)`;
}

/** What `pending` means besides due_at and attempts: nobody holds it, nobody is asked for anything. */
export const returned = `state = 'pending', session = null, recall = null, cancel_at = null, reason = null,
       started_at = null, worker = null`;

/** The row's attempts and one more, of which the last ten are kept. The values are expressions. */
export function attemptsWith(
  row: string,
  attempt: { worker: string; startedAt: string; finishedAt: string; outcome: string; error: string },
): string {
  return `
    case when jsonb_array_length(${row}.attempts) >= ${limits.keptAttempts} then ${row}.attempts - 0
         else coalesce(${row}.attempts, '[]') end
    || jsonb_build_object(
      'number', ${row}.attempt, 'worker', ${attempt.worker},
      'node', (select node from session where session.id = ${row}.session),
      'dueAt', ${ms(`${row}.due_at`)}, 'startedAt', ${ms(attempt.startedAt)}, 'finishedAt', ${ms(attempt.finishedAt)},
      'outcome', ${attempt.outcome}, 'error', ${attempt.error})`;
}

/** An instant as epoch milliseconds, exactly. */
const ms = (instant: string) => `(extract(epoch from ${instant}) * 1000)::float8`;

/** JSON text of an error. What `jsonb` cannot hold, U+0000 and halves of surrogate pairs, is replaced. */
export function errorText(error: TaskError | null): string | null {
  if (error === null) return null;
  const { code, name, message, stack } = error;
  return JSON.stringify({
    code,
    name: storable(name),
    message: storable(message),
    stack: stack === null ? null : storable(stack),
  });
}

export function storable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the one that PostgreSQL's text cannot hold
  return text.replace(/[\u0000\p{Surrogate}]/gu, "\uFFFD");
}
