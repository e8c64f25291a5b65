/** Tasks and their log lines, page by page. */
import {
  finalStates,
  firstIdAt,
  type Id,
  idCreatedAt,
  invalid,
  type LogFilter,
  levelsFrom,
  liveStates,
  parseId,
} from "@carillon/core";
import type { LogLine, Page, TaskFilter, TaskRecord } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { createdSlackMs, finalRows, instant, liveRows, ms, selectRecords, toRecord } from "./records.ts";

/**
 * One statement over both tables, so that a task which becomes final between two looks is neither missed nor seen twice. The cursor is the
 * last id: tasks created meanwhile have greater ids and change nothing in the pages that follow.
 */
export async function listTasks(
  db: Db,
  namespace: string,
  query: { filter: TaskFilter; now: number; pageSize: number; after: string | null },
): Promise<Page<TaskRecord>> {
  const { pageSize } = query;
  const list = composeList(namespace, query);
  if (!list) return { items: [], next: null };
  const rows = await db.query(list.statement, list.values);
  const items = rows.slice(0, pageSize).map(toRecord);
  return { items, next: rows.length > pageSize ? String(items.at(-1)!.id) : null };
}

export async function countTasks(
  db: Db,
  namespace: string,
  { filter, now, cap }: { filter: TaskFilter; now: number; cap: number },
): Promise<number> {
  const matching = composeRows(namespace, { filter, now, most: cap, after: null });
  if (!matching) return 0;
  const text = `select count(*)::int4 from (${matching.rows}) matching`;
  const [[count]] = (await db.query<[number]>({ name: "", text }, matching.values)) as [[number]];
  return count;
}

/** Null: no state that was asked for exists. */
export function composeList(
  namespace: string,
  { pageSize, ...query }: { filter: TaskFilter; now: number; pageSize: number; after: string | null },
): { statement: Statement; values: unknown[] } | null {
  const page = composeRows(namespace, { ...query, most: pageSize + 1 });
  if (!page) return null;
  const columns = { payload: "null::text", result: "null::text" };
  const statement = { name: "", text: `${selectRecords(page.rows, columns)}\n order by t.id desc` };
  return { statement, values: page.values };
}

/** The newest `most` rows of both tables that match. */
function composeRows(
  namespace: string,
  { filter, now, most, after }: { filter: TaskFilter; now: number; most: number; after: string | null },
): { rows: string; values: unknown[] } | null {
  const values: unknown[] = [namespace, most];
  const both = ["namespace = $1"];
  const parameter = (value: unknown) => `$${values.push(value)}`;

  if (after !== null) both.push(`id < ${parameter(cursorId(after))}`);
  const { types, queues, schedule, workflow, tag, text, from, to } = filter;
  if (from !== undefined) both.push(`id >= ${parameter(firstIdAt(Math.ceil(from)))}`);
  if (to !== undefined) both.push(`id < ${parameter(firstIdAt(Math.ceil(to)))}`);
  if (types) both.push(lanesWith(`type = any(${parameter(types)}::text[])`));
  if (queues) both.push(lanesWith(`queue = any(${parameter(queues)}::text[])`));
  if (schedule !== undefined) {
    // Also earlier ones of that name, which were deleted: their tasks still show it.
    const named = `select id from schedule where namespace = $1 and name = ${parameter(schedule)}`;
    both.push(`schedule_id = any(array(${named}))`);
  }
  if (workflow !== undefined) {
    const named = `select id from workflow where namespace = $1 and id = ${parameter(workflow)}`;
    both.push(`id = any(array(select task_id from workflow_task where workflow_id = (${named})))`);
  }
  if (tag !== undefined) both.push(`${parameter(tag)}::text = any(tags)`);
  // A whole id is looked up, not searched for: that is what people paste, and a search reads everything.
  const wantedId = text === undefined ? null : parseId("task", text);
  if (wantedId !== null) both.push(`id = ${parameter(wantedId)}`);
  else if (text !== undefined) both.push(hasText(parameter(text)));

  const sides: string[] = [];
  const live = liveStates.filter((state) => filter.states?.includes(state) ?? true);
  if (live.length > 0) {
    const where = [...both];
    if (live.length < liveStates.length) where.push(`state = any(${parameter(live)}::task_state[])`);
    // There is an index for these few; in the order of the key, a planner that believes them many would look for them everywhere.
    const held = live.every((state) => state === "claimed" || state === "running");
    if (held) where.push("session is not null");
    if (filter.waiting) where.push(narrowed(filter.waiting, () => parameter(now)));
    sides.push(newest(liveRows, where, held ? "id + 0" : "id"));
  }
  const final = finalStates.filter((state) => filter.states?.includes(state) ?? true);
  if (final.length > 0) {
    const where = [...both];
    if (final.length < finalStates.length) where.push(`state = any(${parameter(final)}::task_state[])`);
    const since = workflow === undefined ? from : Math.max(from ?? 0, idCreatedAt(workflow));
    if (since !== undefined) where.push(`finished_at >= ${instant(parameter(since - createdSlackMs))}`);
    sides.push(newest(finalRows, where));
  }
  if (sides.length === 0) return null;
  const [only] = sides as [string];
  return { rows: sides.length === 1 ? only : `${sides.join("\nunion all\n")}\norder by id desc limit $2`, values };
}

const newest = (rows: string, where: string[], order = "id") =>
  `(${rows}\n where ${where.join("\n   and ")}\n order by ${order} desc limit $2)`;

const lanesWith = (condition: string) =>
  `lane_id = any(array(select lane.id from lane where lane.namespace = $1 and lane.${condition}))`;

function narrowed(waiting: NonNullable<TaskFilter["waiting"]>, now: () => string): string {
  const kinds = {
    scheduled: () => `failures = 0 and due_at > ${instant(now())}`,
    queued: () => `failures = 0 and due_at <= ${instant(now())}`,
    retrying: () => "failures > 0",
  };
  const wanted = waiting.map((kind) => ` or (${kinds[kind]()})`).join("");
  return `(state not in ('pending', 'waiting', 'claimed')${wanted})`;
}

function hasText(text: string): string {
  const holds = (column: string) => `strpos(lower(${column}), lower(${text}::text)) > 0`;
  return `(lane_id = any(array(select lane.id from lane where lane.namespace = $1 and ${holds("lane.type")}))
    or ${holds("payload")}
    or ${holds("error")}
    or (blobs & 1 = 1 and exists (select from blob where task_id = id and kind = 1 and ${holds("data")})))`;
}

function cursorId(text: string): Id {
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (id < 0n || id >= 1n << 63n) throw malformedCursor();
  return id;
}

const malformedCursor = () => invalid("pageToken", "malformed", "This page token was not made here.");

// --------------------------------------------------------------------------------------------------------------------- logs

type LogRow = [at: number, level: LogLine["level"], message: string, attempt: number, seq: number];

/** Oldest first. */
export async function taskLogs(
  db: Db,
  namespace: string,
  id: Id,
  { pageSize, after, filter }: { pageSize: number; after: string | null; filter?: LogFilter },
): Promise<Page<LogLine>> {
  const place = after === null ? { at: 0, seq: 0, seen: 0 } : placeOf(after);
  const from = Math.max(place.at, idCreatedAt(id) - createdSlackMs);
  const values = [namespace, id, from, place.seq, place.seen, pageSize + 1];
  const rows = filter
    ? await db.query<LogRow>(selectMatchingLines, [...values, levelsFrom(filter.level), filter.text ?? ""])
    : await db.query<LogRow>(selectLines, values);
  const page = rows.slice(0, pageSize);
  const items = page.map(([at, level, message, attempt]) => ({ at, level, message, attempt }));
  return { items, next: rows.length > pageSize ? placeAfter(page, place) : null };
}

/** Lines that were written apart may share instant and number: `seen` of those here were shown already. */
interface Place {
  at: number;
  seq: number;
  seen: number;
}

function placeAfter(page: LogRow[], before: Place): string {
  const [at, , , , seq] = page.at(-1)!;
  const alike = page.filter((row) => row[0] === at && row[4] === seq).length;
  const seen = alike + (before.at === at && before.seq === seq ? before.seen : 0);
  return `${at}:${seq}:${seen}`;
}

function placeOf(text: string): Place {
  const [, at, seq, seen] = text.match(/^(\d{1,16}(?:\.\d{1,9})?):(\d{1,9}):(\d{1,9})$/) ?? [];
  if (at === undefined) throw malformedCursor();
  return { at: Number(at), seq: Number(seq), seen: Number(seen) };
}

const linesWhere = (condition: string) => `
select ${ms("at")}, level, message, attempt, seq
  from log_line
 where task_id = $2 and at >= ${instant("$3")} and (at, seq) >= (${instant("$3")}, $4)${condition}
   and (exists (select from task where namespace = $1 and id = $2)
        or exists (select from archive where namespace = $1 and id = $2))
 order by at, seq, attempt, message offset $5 limit $6`;

const selectLines: Statement = { name: "select_log_lines", text: linesWhere("") };
const selectMatchingLines: Statement = {
  name: "select_matching_log_lines",
  text: linesWhere(`
   and level = any($7::text[]) and strpos(lower(message), lower($8::text)) > 0`),
};
