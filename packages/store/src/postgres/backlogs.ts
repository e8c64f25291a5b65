import type { Db } from "./db.ts";

/** Through the indexes of the states, `cap` rows of a lane at most in each; never over a whole backlog. */
export async function countBacklogs(
  db: Db,
  queues: { namespace: string; queue: string | null; cap: number }[],
): Promise<number[]> {
  const counts = Array<number>(queues.length).fill(0);
  if (queues.length === 0) return counts;
  const rows = await db.query<[place: number, count: number]>(countOfQueues, [
    queues.map(({ namespace }) => namespace),
    queues.map(({ queue }) => queue),
    queues.map(({ cap }) => cap),
  ]);
  for (const [place, count] of rows) counts[place - 1] = count;
  return counts;
}

/**
 * Leases, tasks that wait for others of their schedule, and those that come after others have no index by lane; there are as many as nodes
 * hold, schedules let wait, and, of the last, as are looked at.
 */
const countOfQueues = {
  name: "count_backlogs",
  text: `
with lanes as materialized (
  select x.place, x.cap, lane.id
    from unnest($1::text[], $2::text[], $3::int4[]) with ordinality as x(namespace, queue, cap, place)
    join lane on lane.namespace = x.namespace and (x.queue is null or lane.queue = x.queue)),
others as materialized (
  select lane_id, count(*) as count
    from (select lane_id from task where session is not null
          union all
          select lane_id from task where state = 'waiting' and gate_id > 0
          union all
          select lane_id from task
           where id = any(array(select distinct child_id from dependency
                                 order by child_id limit (select max(cap) from lanes)))
             and state::text = 'blocked') held
   group by lane_id)
select lanes.place::int4, least(min(lanes.cap), sum(pending.count + keyed.count + coalesce(others.count, 0)))::int4
  from lanes
 cross join lateral (
   select count(*) as count
     from (select from task where lane_id = lanes.id and state = 'pending' limit lanes.cap) found) pending
 cross join lateral (
   select count(*) as count
     from (select from key_gate
            cross join lateral (select from task where gate_id = -key_gate.id and state = 'waiting' limit lanes.cap) behind
            where key_gate.lane_id = lanes.id
            limit lanes.cap) found) keyed
  left join others on others.lane_id = lanes.id
 group by lanes.place`,
};
