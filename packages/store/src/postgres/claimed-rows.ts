/** Rows of `task` as the node that holds them sees them. */
import { formatId, type Id, idCreatedAt, limits } from "@carillon/core";
import type { ClaimedTask } from "../store.ts";
import { int8Array } from "./arrays.ts";
import type { Db } from "./db.ts";
import type { Catalog } from "./lanes.ts";
import { createdSlackMs } from "./records.ts";

/**
 * `date_part` is cheaper than `extract`, which makes a numeric; microseconds() takes away its noise. Bit 8 beside those of `blobs`: its end
 * is noted, for others or for its workflow.
 */
export const claimedColumns = `t.id, t.token, t.lane_id, t.policy_id, t.priority, date_part('epoch', t.due_at), t.attempt,
  t.failures, t.lost, case when t.has_children then t.blobs | 8 else t.blobs end, t.payload, t.schedule_id,
  date_part('epoch', t.fire_at), date_part('epoch', t.finish_by), date_part('epoch', t.started_at)`;

export type ClaimedRow = [
  id: Id,
  token: bigint,
  laneId: number,
  policyId: number,
  priority: number,
  dueAt: number,
  attempt: number,
  failures: number,
  lost: number,
  blobs: number,
  payload: string | null,
  scheduleId: Id | null,
  fireAt: number | null,
  finishBy: number | null,
  startedAt: number | null,
];

/** Payloads that lie in `blob` are fetched by a second statement, only when there are any. */
export async function toClaimedTasks(db: Db, catalog: Catalog, rows: ClaimedRow[]): Promise<ClaimedTask[]> {
  const lanes = new Set<number>();
  const policies = new Set<number>();
  const schedules = new Set<Id>();
  const large: Id[] = [];
  const children: Id[] = [];
  const watched: Id[] = [];
  for (const row of rows) {
    lanes.add(row[2]);
    policies.add(row[3]);
    if (row[9] & 1) large.push(row[0]);
    if (row[9] & 4) children.push(row[0]);
    if (row[9] & 8) watched.push(row[0]);
    if (row[11] !== null) schedules.add(row[11]);
  }
  const learned = await catalog.learn({ lanes, policies, schedules });
  const payloads = large.length > 0 ? await payloadsOf(db, large) : null;
  const parents = children.length > 0 ? await parentsOf(db, children) : null;
  const workflows = watched.length > 0 ? await workflowsOf(db, watched) : null;
  return rows.map((row) => ({
    id: row[0],
    token: row[1],
    lane: catalog.lane(row[2]),
    policy: learned.policy(row[3]),
    priority: row[4],
    dueAt: milliseconds(row[5]),
    attempt: row[6],
    failures: row[7],
    lost: row[8],
    payload: row[9] & 1 ? (payloads!.get(row[0]) ?? null) : row[10],
    scheduleId: row[11],
    scheduleName: row[11] === null ? null : learned.scheduleName(row[11]),
    fireAt: row[12] === null ? null : milliseconds(row[12]),
    finishBy: row[13] === null ? null : milliseconds(row[13]),
    startedAt: row[14] === null ? null : milliseconds(row[14]),
    ...(row[9] & 4 && { parents: parents!.get(row[0]) ?? "{}" }),
    ...(row[9] & 8 && workflows!.get(row[0])),
  }));
}

/** Of those that belong to one. */
async function workflowsOf(db: Db, ids: Id[]): Promise<Map<Id, Pick<ClaimedTask, "workflow">>> {
  const rows = await db.query<[task: Id, id: Id, key: string]>(selectMemberships, [int8Array(ids)]);
  return new Map(rows.map(([task, id, key]) => [task, { workflow: { id, key } }]));
}

/** Results of those that each came after and that succeeded, as far as they fit. */
async function parentsOf(db: Db, ids: Id[]): Promise<Map<Id, string>> {
  const rows = await db.query<[child: Id, parent: Id, key: string | null, result: string | null]>(selectParents, [
    int8Array(ids),
    limits.parentsBytes,
  ]);
  const members = new Map<Id, string[]>();
  for (const [child, parent, key, result] of rows) {
    const member = `${JSON.stringify(key ?? formatId("task", parent))}:${result ?? "null"}`;
    const list = members.get(child);
    if (list) list.push(member);
    else members.set(child, [member]);
  }
  return new Map([...members].map(([child, list]) => [child, `{${list.join(",")}}`]));
}

/** The range tells which days' partitions they are in. */
async function payloadsOf(db: Db, ids: Id[]): Promise<Map<Id, string>> {
  const sorted = ids.toSorted((a, b) => (a < b ? -1 : 1));
  return new Map(await db.query<[Id, string]>(selectPayloads, [int8Array(sorted), sorted[0], sorted.at(-1)]));
}

/** From seconds, exact to the microsecond that PostgreSQL keeps. */
export function milliseconds(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e3;
}

const selectPayloads = {
  name: "select_payloads",
  text: "select task_id, data from blob where task_id = any($1::int8[]) and task_id between $2 and $3 and kind = 1",
};

const selectMemberships = {
  name: "select_memberships",
  text: `
select id, (extra ->> 'workflow')::bigint, extra ->> 'key' from task where id = any($1::int8[]) and extra ? 'workflow'`,
};

/** A parent's partition is looked for from its creation on. `octet_length` of what does not fit is counted too: the order decides. */
const selectParents = {
  name: "select_parents_results",
  text: `
select child, id, key, result
  from (
    select child.id as child, parent.*, sum(coalesce(octet_length(parent.result), 4)) over (
             partition by child.id order by named.place rows unbounded preceding) as bytes
      from task child
     cross join lateral jsonb_array_elements_text(child.extra -> 'after') with ordinality as named(id, place)
     cross join lateral (
       select archive.id, case when archive.extra -> 'workflow' = child.extra -> 'workflow' then archive.extra ->> 'key' end as key,
              case when archive.blobs & 2 = 2 then (select data from blob where task_id = archive.id and kind = 2) else archive.result end as result
         from archive
        where archive.id = named.id::bigint and archive.state = 'succeeded'
          and archive.finished_at >= to_timestamp(((named.id::bigint >> 22) + ${idCreatedAt(0n)} - ${createdSlackMs})::float8 / 1000)
        limit 1) parent
     where child.id = any($1::int8[])) found
 where bytes <= $2
 order by child, bytes`,
};
