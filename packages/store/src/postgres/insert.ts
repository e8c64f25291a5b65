/** The one place where rows of `task` begin: one statement for any number of tasks, made of what they need. */
import { Buffer } from "node:buffer";
import { finishBy, firstRiseAt, type Id, startBy } from "@carillon/core";
import { bandOf, type NewTask } from "../store.ts";
import { float8Array, int2Array, int4Array, int8Array, textArray } from "./arrays.ts";
import type { Db, Statement } from "./db.ts";
import { type Catalog, type Numbers, openLanes } from "./lanes.ts";

/** Payloads and results over this many bytes lie in `blob`. */
export const INLINE_BYTES = 512;

export interface InsertOptions {
  /** By task: the session that claims it at once, if it is alive. */
  sessions?: (Id | null)[];
  /** A task whose unique key is taken is left out, where it would otherwise be an error. */
  skipTakenKeys?: boolean;
}

/**
 * Plain, it answers no rows; with `skipTakenKeys`, `[id, claimed]` of the rows that were inserted; with `sessions` alone, of those that
 * were claimed.
 */
export interface Insert {
  statement: Statement;
  values: unknown[];
}

/**
 * Inserts into `task`, in the caller's transaction. Answers the ids that were inserted; those missing have a unique key that is taken.
 * Partitions may be missing (`withPartitions`).
 */
export async function insertTasks(tx: Db, catalog: Catalog, tasks: readonly NewTask[]): Promise<Set<Id>> {
  if (tasks.length === 0) return new Set();
  const { statement, values } = insertOf(tasks, await catalog.numbersOf(tasks), { skipTakenKeys: true });
  const rows = await tx.query<InsertedRow>(statement, values);
  return new Set(rows.map(([id]) => id));
}

export type InsertedRow = [id: Id, claimed: boolean];

export function insertOf(tasks: readonly NewTask[], numbers: Numbers, options: InsertOptions = {}): Insert {
  const { sessions, skipTakenKeys = false } = options;
  const uniform = isUniform(tasks, numbers);
  const rare = tasks.some(hasRareFields);
  const hurried = tasks.some(({ policy }) => policy.startWithinMs !== undefined);
  const limited = tasks.some(({ policy }) => policy.finishWithinMs !== undefined);
  const gated = rare && tasks.some(({ gateId }) => gateId);
  const blocked = rare && tasks.some(isBlocked);
  const watched = rare && tasks.some(({ workflow }) => workflow);
  const large = tasks.filter((task) => isLarge(task.payload));

  const values: unknown[] = [];
  const arrays: string[] = [];
  const names: string[] = [];
  const columns: string[] = [];
  const expressions: string[] = [];
  /** A column with a value for each task. */
  function each(column: string, type: string, value: Buffer, expression = `x.${column}`): void {
    arrays.push(`$${values.push(value)}::${type}[]`);
    names.push(column);
    columns.push(column);
    expressions.push(expression);
  }
  /** A column that is the same for all, when all are alike. */
  function common(column: string, type: string, value: unknown, valueOfEach: () => Buffer): void {
    if (uniform) computed(column, `$${values.push(value)}::${type}`);
    else each(column, type === "task_trigger" ? "text" : type, valueOfEach(), `x.${column}::${type}`);
  }
  function computed(column: string, expression: string): void {
    columns.push(column);
    expressions.push(expression);
  }

  const [first] = tasks as [NewTask];
  each("id", "int8", int8Array(tasks.map((task) => task.id)));
  each("due_at", "float8", float8Array(tasks.map((task) => task.dueAt)), "to_timestamp(x.due_at / 1000)");
  common("lane_id", "int4", numbers.lanes[0]!.id, () => int4Array(numbers.lanes.map((lane) => lane.id)));
  common("policy_id", "int4", numbers.policyIds[0]!, () => int4Array(numbers.policyIds));
  common("priority", "int2", first.priority, () => int2Array(tasks.map((task) => task.priority)));
  common("band", "int2", bandOf(first.priority), () => int2Array(tasks.map((task) => bandOf(task.priority))));
  common("namespace", "text", first.namespace, () => textArray(tasks.map((task) => task.namespace)));
  common("trigger", "task_trigger", first.trigger, () => textArray(tasks.map((task) => task.trigger)));
  each("payload", "text", textArray(tasks.map((task) => (isLarge(task.payload) ? null : task.payload))));
  if (large.length > 0 || blocked)
    each("blobs", "int2", int2Array(tasks.map((task) => (isLarge(task.payload) ? 1 : 0) | (isBlocked(task) ? 4 : 0))));
  if (rare) {
    each("schedule_id", "int8", int8Array(tasks.map((task) => task.scheduleId)));
    each("fire_at", "float8", float8Array(tasks.map((task) => task.fireAt)), "to_timestamp(x.fire_at / 1000)");
    each("unique_key", "text", textArray(tasks.map((task) => task.uniqueKey)));
    each("tags", "text", textArray(tasks.map((task) => tagsLiteral(task.tags))), "x.tags::text[]");
    each("extra", "text", textArray(tasks.map(extraOf)), "x.extra::jsonb");
  }
  if (hurried) each("start_by", "float8", float8Array(tasks.map(startBy)), "to_timestamp(x.start_by / 1000)");
  if (limited) {
    each("finish_by", "float8", float8Array(tasks.map(finishBy)), "to_timestamp(x.finish_by / 1000)");
    each("raise_at", "float8", float8Array(tasks.map(firstRiseAt)), "to_timestamp(x.raise_at / 1000)");
  }
  if (blocked) each("pending_parents", "int4", int4Array(tasks.map(({ after = [] }) => after.length)));
  if (watched)
    each("has_children", "int2", int2Array(tasks.map(({ workflow }) => (workflow ? 1 : 0))), "x.has_children = 1");
  const unclaimed = blocked ? "case when x.pending_parents > 0 then 'blocked' else 'pending' end" : "'pending'";
  if (sessions) {
    each("session", "int8", int8Array(sessions), "held.session");
    computed("state", `case when held.session is null then ${unclaimed} else 'claimed' end::task_state`);
    computed("token", "case when held.session is null then 0 else 1 end");
    computed("attempt", "case when held.session is null then 0 else 1 end");
  } else if (gated) {
    each("gate_id", "int8", int8Array(tasks.map(({ gateId = null }) => gateId)));
    computed("state", "case when x.gate_id is null then 'pending' else 'waiting' end::task_state");
  } else {
    computed("state", blocked ? `(${unclaimed})::task_state` : unclaimed);
  }

  const holder = sessions ? holderOf(numbers, sessions, expressions[columns.indexOf("lane_id")]!, values) : "";
  const insert = `
insert into task (${columns.join(", ")})
select ${expressions.join(", ")}
  from unnest(${arrays.join(", ")}) as x(${names.join(", ")})${holder}
${skipTakenKeys ? "on conflict (namespace, unique_key) where unique_key is not null do nothing" : ""}`;

  const parts: string[] = [];
  if (sessions) {
    const distinct = [...new Set(sessions)].filter((session) => session !== null);
    const parameter = values.push(int8Array(distinct));
    parts.push(`
alive as materialized (
  select id from session where id = any($${parameter}::int8[]) and dead_at is null and closed_at is null)`);
  }
  const answers = sessions !== undefined || skipTakenKeys;
  if (answers || large.length > 0) parts.push(`inserted as (${insert} returning id, session is not null as claimed)`);
  if (large.length > 0) {
    const ids = values.push(int8Array(large.map((task) => task.id)));
    const data = values.push(textArray(large.map((task) => task.payload)));
    // Otherwise all of them are inserted, and nothing is to be compared.
    const written = skipTakenKeys ? "join inserted i on i.id = l.id" : "";
    parts.push(`
stored as (
  insert into blob (task_id, kind, data)
  select l.id, 1, l.data from unnest($${ids}::int8[], $${data}::text[]) as l(id, data) ${written})`);
  }
  const flags = [uniform, rare, large.length > 0, sessions, skipTakenKeys].map((flag) => (flag ? "1" : "0")).join("");
  const wanted = skipTakenKeys ? "" : answers ? "where claimed" : "where false";
  const text = parts.length > 0 ? `with ${parts.join(",")}\nselect id, claimed from inserted ${wanted}` : insert;
  return {
    statement: {
      name: `insert_tasks_${flags}${hurried ? "_start_by" : ""}${limited ? "_finish_by" : ""}${gated ? "_gated" : ""}${blocked ? "_after" : ""}${watched ? "_workflow" : ""}`,
      text,
    },
    values,
  };
}

/** A dead session claims nothing, and nobody does from a lane whose queue is limited or paused: such tasks are inserted as pending. */
function holderOf(numbers: Numbers, sessions: (Id | null)[], lane: string, values: unknown[]): string {
  const lanes = new Set<number>();
  for (const [index, { id }] of numbers.lanes.entries()) if (sessions[index] !== null) lanes.add(id);
  const open = openLanes(`$${values.push(int4Array([...lanes]))}`);
  return `
  cross join lateral (
    select case when x.session = any(array(select id from alive)) and ${lane} = any(array(${open})) then x.session end) as held(session)`;
}

function isUniform(tasks: readonly NewTask[], numbers: Numbers): boolean {
  const [first] = tasks as [NewTask];
  return tasks.every(
    (task, i) =>
      numbers.lanes[i] === numbers.lanes[0] &&
      numbers.policyIds[i] === numbers.policyIds[0] &&
      task.priority === first.priority &&
      task.trigger === first.trigger,
  );
}

function hasRareFields(task: NewTask): boolean {
  return (
    task.scheduleId !== null ||
    task.fireAt !== null ||
    task.uniqueKey !== null ||
    task.tags.length > 0 ||
    task.replayOf !== null ||
    (task.concurrencyKey ?? null) !== null ||
    (task.fairKey ?? null) !== null ||
    isBlocked(task) ||
    task.workflow !== undefined
  );
}

export function isLarge(json: string | null): boolean {
  if (json === null || json.length * 3 <= INLINE_BYTES) return false;
  return json.length > INLINE_BYTES || Buffer.byteLength(json) > INLINE_BYTES;
}

/** It comes after others. Its bit in `blobs` says so to whoever claims it. */
export const isBlocked = ({ after }: NewTask): boolean => after !== undefined && after.length > 0;

/** What few tasks have. */
function extraOf(task: NewTask): string | null {
  const { replayOf, concurrencyKey = null, fairKey = null, after, when, workflow } = task;
  if (concurrencyKey === null && fairKey === null && !isBlocked(task) && !workflow)
    return replayOf === null ? null : `{"replayOf":"${replayOf}"}`;
  return JSON.stringify({
    replayOf: replayOf === null ? undefined : String(replayOf),
    concurrencyKey: concurrencyKey ?? undefined,
    fairKey: fairKey ?? undefined,
    ...(isBlocked(task) && { after: after!.map(String), when }),
    ...(workflow && { workflow: String(workflow.id), key: workflow.key, always: workflow.always || undefined }),
  });
}

function tagsLiteral(tags: string[]): string | null {
  if (tags.length === 0) return null;
  return `{${tags.map((tag) => `"${tag.replace(/[\\"]/g, "\\$&")}"`).join(",")}}`;
}
