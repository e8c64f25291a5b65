/** Figures about now that no index holds: how fast tasks come, from their ids, and what living nodes say about themselves. */
import { firstIdAt, type Id, idCreatedAt } from "@carillon/core";
import { type CreatedCounts, isAsked, type LaneFilter, type NodeFigures, type Session } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import type { Catalog } from "./lanes.ts";
import { createdSlackMs, instant } from "./records.ts";

export async function created(
  db: Db,
  catalog: Catalog,
  { from, cap, ...filter }: { from: number; cap: number } & LaneFilter,
): Promise<CreatedCounts> {
  const rows = await db.query<[laneId: number, count: number, begin: Id | null]>(countCreated, [
    firstIdAt(from),
    cap,
    from - createdSlackMs,
  ]);
  await catalog.learn({ lanes: new Set(rows.map(([laneId]) => laneId)) });
  const begin = rows[0]?.[2] ?? null;
  return {
    from: begin === null ? from : Math.max(from, idCreatedAt(begin)),
    lanes: rows
      .map(([laneId, count]) => ({ lane: catalog.lane(laneId), count }))
      .filter(({ lane }) => isAsked(lane, filter)),
  };
}

/** Only while it lives: what it said disappears with it. */
export async function recordFigures(db: Db, session: Id, figures: NodeFigures): Promise<void> {
  await db.query(writeFigures, [session, JSON.stringify(figures)]);
}

export async function nodeFigures(db: Db): Promise<(NodeFigures & Pick<Session, "node" | "zoneData">)[]> {
  const rows = await db.query<[node: string, zoneData: string | null, figures: string | null]>(selectFigures, []);
  return rows.map(([node, zoneData, figures]) => {
    const said: Partial<NodeFigures> = figures === null ? {} : JSON.parse(figures);
    return { node, zoneData, workers: 0, pools: [], queues: [], ...said };
  });
}

/** From the ends of two indexes. Where one was cut off, the other counts from there on too: `begin`. */
const countCreated: Statement = {
  name: "count_created",
  text: `
with hot as materialized (
  select id, lane_id from task where id >= $1 order by id desc limit $2),
final as materialized (
  select id, lane_id from archive where id >= $1 and finished_at >= ${instant("$3")} order by id desc limit $2),
begin as (
  select greatest((select min(id) from hot having count(*) = $2), (select min(id) from final having count(*) = $2)) as id)
select lane_id, count(*)::int4, begin.id
  from (select * from hot union all select * from final) found cross join begin
 where begin.id is null or found.id >> 22 >= begin.id >> 22
 group by lane_id, begin.id`,
};

const writeFigures: Statement = {
  name: "write_figures",
  text: "update session set figures = $2::jsonb where id = $1 and dead_at is null and closed_at is null",
};

const selectFigures: Statement = {
  name: "select_figures",
  text: "select node, zone_data, figures from session where dead_at is null and closed_at is null order by id",
};
