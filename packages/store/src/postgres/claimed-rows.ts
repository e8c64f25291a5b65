/** Rows of `task` as the node that holds them sees them. */
import type { Id } from "@carillon/core";
import type { ClaimedTask } from "../store.ts";
import { int8Array } from "./arrays.ts";
import type { Db } from "./db.ts";
import type { Catalog } from "./lanes.ts";

/** `date_part` is cheaper than `extract`, which makes a numeric; microseconds() takes away its noise. */
export const claimedColumns = `t.id, t.token, t.lane_id, t.policy_id, t.priority, date_part('epoch', t.due_at), t.attempt,
  t.failures, t.lost, t.blobs, t.payload, t.schedule_id, date_part('epoch', t.fire_at), date_part('epoch', t.finish_by),
  date_part('epoch', t.started_at)`;

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
  for (const row of rows) {
    lanes.add(row[2]);
    policies.add(row[3]);
    if (row[9] & 1) large.push(row[0]);
    if (row[11] !== null) schedules.add(row[11]);
  }
  const learned = await catalog.learn({ lanes, policies, schedules });
  const payloads = large.length > 0 ? await payloadsOf(db, large) : null;
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
  }));
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
