import { idCreatedAt } from "@carillon/core";
import { type Depth, isAsked, type LaneFilter } from "../store.ts";
import type { Db } from "./db.ts";
import type { Catalog } from "./lanes.ts";

/** Less than a scraper waits. */
const DEADLINE_MS = 5_000;

/** Counts through the indexes of the states, `cap` rows each; never over a whole backlog. */
export async function depths(
  db: Db,
  catalog: Catalog,
  { now, cap, ...filter }: { now: number; cap: number } & LaneFilter,
): Promise<Depth[]> {
  const lanes = (await catalog.lanes()).filter((lane) => isAsked(lane, filter));
  const rows = await db.query<
    [laneId: number, state: Depth["state"], count: number, due: number, waitsSince: number | null]
  >(countTasks, [lanes.map((lane) => lane.id), cap, now, idCreatedAt(0n)], { deadlineMs: DEADLINE_MS });
  await catalog.learn({ lanes: new Set(rows.map(([laneId]) => laneId)) });
  return rows
    .map(([laneId, state, count, due, waitsSince]) => ({ lane: catalog.lane(laneId), state, count, due, waitsSince }))
    .filter(({ lane }) => isAsked(lane, filter));
}

/**
 * Leases and tasks before a gate have no index by lane; there are as many as nodes hold, or gates let wait. Tasks after others are found by
 * their edges, `cap` in all. The words are those of
 * `publicState`.
 */
const countTasks = {
  name: "count_tasks",
  text: `
with found as (
  select pending.*
    from unnest($1::int4[]) as lane(id)
   cross join (values (1::int2), (2::int2), (3::int2)) as band(id)
   cross join lateral (
     (select lane_id, state, id, due_at, failures from task
       where lane_id = lane.id and band = band.id and state = 'pending' and due_at <= to_timestamp($3::float8 / 1000)
       order by due_at
       limit $2)
     union all
     (select lane_id, state, id, due_at, failures from task
       where lane_id = lane.id and band = band.id and state = 'pending' and due_at > to_timestamp($3::float8 / 1000)
       order by due_at
       limit $2)) pending
  union all
  select lane_id, state, id, due_at, failures from task where session is not null
  union all
  select lane_id, state, id, due_at, failures from task where state = 'waiting'
  union all
  select lane_id, state, id, due_at, failures from task
   where id = any(array(select distinct child_id from dependency order by child_id limit $2)) and state::text = 'blocked'),
shown as (
  select lane_id,
         case when state in ('running', 'blocked') then state::text
              when failures > 0 then 'retrying'
              when due_at > to_timestamp($3::float8 / 1000) then 'scheduled'
              else 'queued' end as state,
         state <> 'blocked' and due_at <= to_timestamp($3::float8 / 1000) as due,
         case when state in ('pending', 'waiting') and due_at <= to_timestamp($3::float8 / 1000)
              then greatest(extract(epoch from due_at)::float8 * 1000, (id >> 22)::float8 + $4::float8) end as since
    from found)
select lane_id, state, least($2, count(*))::int4, least($2, count(*) filter (where due))::int4, min(since)
  from shown
 group by lane_id, state`,
};
