/** What people read of a task: rows of `task` and `archive` in one shape. */
import { type Id, idCreatedAt, isFinal, type StoredState, type TaskError } from "@carillon/core";
import type { Attempt, TaskRecord } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { DAY_MS } from "./partitions.ts";

/** A node that makes many ids runs ahead of the clock, so a task may be final before the instant in its id. */
export const createdSlackMs = 60_000;

/** A parameter in epoch milliseconds as an instant, and an instant as epoch milliseconds. */
export const instant = (parameter: string) => `to_timestamp(${parameter}::float8 / 1000)`;
export const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

const shared = `id, namespace, lane_id, policy_id, state, reason, priority, due_at, started_at, session, token, attempt, failures,
  lost, blobs, trigger, schedule_id, fire_at, cancel_at, worker, unique_key, payload, error, attempts, tags, extra`;
/** The same columns of both tables, so that they can be merged. */
export const liveRows = `select ${shared}, null::timestamptz as finished_at, null::text as result from task`;
export const finalRows = `select ${shared}, finished_at, result from archive`;

const columns = {
  id: "t.id",
  namespace: "t.namespace",
  type: "lane.type",
  queue: "lane.queue",
  state: "t.state",
  reason: "t.reason",
  priority: "t.priority",
  dueAt: ms("t.due_at"),
  startedAt: ms("t.started_at"),
  finishedAt: ms("t.finished_at"),
  attempt: "t.attempt",
  failures: "t.failures",
  lost: "t.lost",
  error: "t.error",
  policy: "policy.body",
  trigger: "t.trigger",
  scheduleId: "t.schedule_id",
  scheduleName: "schedule.name",
  fireAt: ms("t.fire_at"),
  uniqueKey: "t.unique_key",
  concurrencyKey: "t.extra ->> 'concurrencyKey'",
  fairKey: "t.extra ->> 'fairKey'",
  tags: "t.tags",
  replayOf: "t.extra ->> 'replayOf'",
  requires: "lane.requires",
  after: "t.extra -> 'after'",
  when: "t.extra ->> 'when'",
  workflow: "case when t.extra ? 'workflow' then jsonb_build_array(t.extra -> 'workflow', t.extra -> 'key') end",
  worker: "t.worker",
  cancelRequestedAt: ms("t.cancel_at"),
  attempts: "t.attempts",
  node: "session.node",
  fraction: "progress.fraction",
  message: "progress.message",
};

/** `rows` are some of `liveRows` and `finalRows`; `payload` and `result` are expressions over them, as `t`. */
export function selectRecords(rows: string, { payload, result }: { payload: string; result: string }): string {
  return `
    select ${[...Object.values(columns), payload, result].join(", ")}
      from (${rows}) t
      join lane on lane.id = t.lane_id
      join policy on policy.id = t.policy_id
      left join schedule on schedule.id = t.schedule_id
      left join session on session.id = t.session
      left join lateral (
        select fraction, message from progress where task_id = t.id and token = t.token limit 1) progress on true`;
}

const names = [...Object.keys(columns), "payload", "result"];

/** As the database gives them. */
interface Texts {
  error: string | null;
  policy: string;
  tags: string[] | null;
  replayOf: string | null;
  requires: string;
  after: string | null;
  workflow: string | null;
  attempts: string | null;
}
type Fields = Texts &
  Omit<TaskRecord, keyof Texts | "progress"> & { node: string | null; fraction: number | null; message: string | null };

export function toRecord(row: unknown[]): TaskRecord {
  const named: unknown = Object.fromEntries(names.map((name, index) => [name, row[index]]));
  const { node, fraction, message, ...fields } = named as Fields;
  const record: TaskRecord = {
    ...fields,
    error: fields.error === null ? null : JSON.parse(fields.error),
    progress: fraction === null ? null : { fraction, message },
    policy: JSON.parse(fields.policy),
    tags: fields.tags ?? [],
    replayOf: fields.replayOf === null ? null : BigInt(fields.replayOf),
    requires: JSON.parse(fields.requires),
    after: fields.after === null ? [] : (JSON.parse(fields.after) as string[]).map(BigInt),
    workflow: fields.workflow === null ? null : toMembership(JSON.parse(fields.workflow)),
    attempts: fields.attempts === null ? [] : JSON.parse(fields.attempts),
  };
  const last = finalAttempt(record, node);
  return last ? { ...record, attempts: [...record.attempts, last] } : record;
}

const toMembership = ([id, key]: [string, string]) => ({ id: BigInt(id), key });

/** The attempt that made a task final; null when it became final without one. */
function finalAttempt(task: TaskRecord, node: string | null): Attempt | null {
  if (!isFinal(task.state) || task.startedAt === null) return null;
  const { attempt: number, worker, dueAt, startedAt, error } = task;
  const finishedAt = task.finishedAt!;
  return { number, worker, node, dueAt, startedAt, finishedAt, outcome: finalOutcome(task.state, error), error };
}

function finalOutcome(state: StoredState, error: TaskError | null): Attempt["outcome"] {
  if (state === "failed") return error?.code === "worker_lost" ? "lost" : "failed";
  return state === "succeeded" ? "succeeded" : "cancelled";
}

// -------------------------------------------------------------------------------------------------------------------- by id

/** `$1` namespace, `$2` id. Payload and result come from `blob` where the row says so. */
const whole = {
  payload: "case when t.blobs & 1 = 1 then (select data from blob where task_id = $2 and kind = 1) else t.payload end",
  result: "case when t.blobs & 2 = 2 then (select data from blob where task_id = $2 and kind = 2) else t.result end",
};
const isTask = "namespace = $1 and id = $2";
const soon = `finished_at >= ${instant("$3")} and finished_at < ${instant("$4")}`;

const getLive: Statement = { name: "get_live_task", text: selectRecords(`${liveRows} where ${isTask}`, whole) };
export const getSoonFinal: Statement = {
  name: "get_soon_final_task",
  text: selectRecords(`${finalRows} where ${isTask} and ${soon}`, whole),
};
/** `task` once more: it may have left the archive since it was read. */
const getAnywhere: Statement = {
  name: "get_task_anywhere",
  text: selectRecords(`${finalRows} where ${isTask} and not (${soon}) union all ${liveRows} where ${isTask}`, whole),
};

/** Nearly all tasks are final within two days, so that two or three of the archive's many partitions answer. */
export async function getTask(db: Db, namespace: string, id: Id): Promise<TaskRecord | null> {
  const createdAt = idCreatedAt(id);
  const span = [createdAt - createdSlackMs, createdAt + 2 * DAY_MS];
  const [live] = await db.query(getLive, [namespace, id]);
  if (live) return toRecord(live);
  const [soonFinal] = await db.query(getSoonFinal, [namespace, id, ...span]);
  if (soonFinal) return toRecord(soonFinal);
  const [other] = await db.query(getAnywhere, [namespace, id, ...span]);
  return other ? toRecord(other) : null;
}
