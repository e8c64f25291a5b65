import type { Id } from "@carillon/core";
import type { Band, ClaimedTask, ClaimTarget } from "../store.ts";
import { float8Array, int2Array, int4Array } from "./arrays.ts";
import { type ClaimedRow, claimedColumns, milliseconds, toClaimedTasks } from "./claimed-rows.ts";
import type { Db } from "./db.ts";
import type { Catalog } from "./lanes.ts";
import { openLanes } from "./lanes.ts";

/** In the order in which they are due. Rows that somebody else is about to take are passed over. */
export async function claim(
  db: Db,
  catalog: Catalog,
  request: { session: Id; targets: ClaimTarget[]; until: number; limit: number },
): Promise<ClaimedTask[]> {
  if (request.targets.length === 0 || request.limit < 1) return [];
  const rows = await db.query<ClaimedRow>(claimDue, [
    request.session,
    int4Array(request.targets.map((target) => target.laneId)),
    int2Array(request.targets.map((target) => target.band)),
    int4Array(request.targets.map((target) => target.limit)),
    request.until,
    request.limit,
    float8Array(request.targets.map((target) => target.from ?? Number.NEGATIVE_INFINITY)),
  ]);
  rows.sort((a, b) => a[5] - b[5] || (a[0] < b[0] ? -1 : 1));
  return toClaimedTasks(db, catalog, rows);
}

export async function nextDue(db: Db, laneIds: number[]): Promise<{ laneId: number; band: Band; dueAt: number }[]> {
  if (laneIds.length === 0) return [];
  const rows = await db.query<NextDueRow>(selectNextDue, [int4Array(laneIds)]);
  return rows.map(toNextDue);
}

export type NextDueRow = [laneId: number, band: Band, dueAt: number];

export const toNextDue = ([laneId, band, dueAt]: NextDueRow) => ({ laneId, band, dueAt: milliseconds(dueAt) });

/**
 * One walk of the claim index for each target, from where it begins to its last row that is due. Entries of dead rows that somebody's
 * snapshot keeps are walked over one by one (16 ms for 200,000), unless the target begins after them. The ids go through an array so that
 * the update finds each row by its key, whatever the planner believes about the size of the table; asking for the state once more, of
 * rows that are locked already, would offer it a walk of the whole claim index. A dead session claims nothing. Lanes are held until the
 * commit, by as many claims as please, so that whoever limits or pauses their queue can wait for what is on its way (`queues.ts`).
 */
const claimDue = {
  name: "claim_due",
  text: `
with open as materialized (
  ${openLanes("$2")})
update task t
   set state = 'claimed', session = $1, token = t.token + 1, attempt = t.attempt + 1
 where t.id = any(array(
   select picked.id
     from unnest($2::int4[], $3::int2[], $4::int4[], $7::float8[]) as target(lane_id, band, most, begin)
    cross join lateral (
      select id from task
       where target.lane_id in (select id from open)
         and lane_id = target.lane_id and band = target.band and state = 'pending'
         and due_at >= to_timestamp(target.begin / 1000) and due_at <= to_timestamp($5::float8 / 1000)
       order by due_at, id
       limit target.most
         for update skip locked) as picked
    where exists (select from session where id = $1 and dead_at is null and closed_at is null)
    limit $6))
returning ${claimedColumns}`,
};

export const selectNextDue = {
  name: "next_due",
  text: `
select lane.id, band.id, date_part('epoch', first.due_at)
  from unnest($1::int4[]) as lane(id)
 cross join (values (1::int2), (2::int2), (3::int2)) as band(id)
 cross join lateral (
   select due_at from task
    where lane_id = lane.id and band = band.id and state = 'pending'
    order by due_at, id
    limit 1) as first`,
};
