import type { Lane, Store } from "../store.ts";
import type { Db } from "./db.ts";
import type { Catalog } from "./lanes.ts";

type Depths = Awaited<ReturnType<Store["depths"]>>;

/** Counts through the indexes of the states, at most `cap` rows each; never over a whole backlog. */
export async function depths(db: Db, catalog: Catalog, cap: number): Promise<Depths> {
  const lanes: Lane[] = await catalog.lanes();
  const rows = await db.query<[laneId: number, state: Depths[number]["state"], count: number]>(
    countTasks,
    [lanes.map((lane) => lane.id), cap],
    { deadlineMs: 30_000 },
  );
  await catalog.learn({ lanes: new Set(rows.map(([laneId]) => laneId)) });
  return rows.map(([laneId, state, count]) => ({ lane: catalog.lane(laneId), state, count }));
}

/** Leases and tasks before a gate have no index by lane; there are as many as nodes hold, or gates let wait. */
const countTasks = {
  name: "count_tasks",
  text: `
select lane.id, 'pending', least($2, sum(found.count))::int4
  from unnest($1::int4[]) as lane(id)
 cross join (values (1::int2), (2::int2), (3::int2)) as band(id)
 cross join lateral (
   select count(*) as count
     from (select from task where lane_id = lane.id and band = band.id and state = 'pending' limit $2) capped) found
 group by lane.id
having sum(found.count) > 0
union all
select lane_id, state::text, least($2, count(*))::int4
  from task
 where session is not null
 group by lane_id, state
union all
select lane_id, state::text, least($2, count(*))::int4
  from task
 where state = 'waiting'
 group by lane_id, state`,
};
