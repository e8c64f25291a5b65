/** Tasks whose first start has a deadline (`startWithin` of their policy); `start_by` is null for all others. */
import { type Id, START_WITHIN } from "@carillon/core";
import type { Lane } from "../store.ts";
import type { Pools } from "./db.ts";
import { insertIntoArchive, noteEnded } from "./final.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";

/** `start_by` of a row that will be due then. In seconds: an interval of days would be one of the session's zone. */
export const startByWhenDue = (dueAt: string, row = "task") =>
  `${dueAt} + make_interval(secs => extract(epoch from ${row}.start_by - ${row}.due_at)::float8)`;

export async function skipUnstarted(
  pools: Pools,
  catalog: Catalog,
  { now, limit }: { now: number; limit: number },
): Promise<{ id: Id; lane: Lane }[]> {
  const rows = await withPartitions(pools.control, () =>
    pools.outcomes.query<[id: Id, laneId: number]>(skipLate, [now, limit]),
  );
  await catalog.learn({ lanes: new Set(rows.map(([, laneId]) => laneId)) });
  return rows.map(([id, laneId]) => ({ id, lane: catalog.lane(laneId) }));
}

/** Walks an index of those that wait for their first start by a deadline. What somebody is about to claim is left to its holder. */
const skipLate = {
  name: "skip_unstarted",
  text: `
with late as materialized (
  select id from task
   where start_by < to_timestamp($1::float8 / 1000) and state in ('pending', 'waiting') and attempt = 0
   order by start_by, id
   limit $2
     for update skip locked),
gone as (
  delete from task t
   where t.id = any(array(select id from late))
  returning t.*),
archived as (${insertIntoArchive("gone", {
    finished_at: "to_timestamp($1::float8 / 1000)",
    state: "'skipped'",
    reason: `'${START_WITHIN}'`,
  })}
  returning id, lane_id),${noteEnded("gone", "'skipped'")}
select id, lane_id from archived order by id`,
};
