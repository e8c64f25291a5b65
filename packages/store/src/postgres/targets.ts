/**
 * Targets that tasks call: what their breakers say, and the tasks that wait for them. A target has a row from its first trouble on. Tasks
 * that wait are found by `task.gate_id`, out of the way of every claim.
 */
import type { Id } from "@carillon/core";
import type { Page, ParkedTask, ReleasedTask, TargetChange, TargetRecord, TargetSummary } from "../store.ts";
import { int8Array, textArray } from "./arrays.ts";
import type { Db, Pools, Statement } from "./db.ts";
import type { Catalog } from "./lanes.ts";
import { leaving } from "./leases.ts";
import { withPartitions } from "./partitions.ts";
import { instant, ms } from "./records.ts";

/** So many are watched; those that are in trouble longest come first. */
const WATCHED = 10_000;

export async function setTarget(db: Db, change: TargetChange, now: number): Promise<void> {
  const { id, namespace, name, state, until, trips, reason } = change;
  await db.query(upsertTarget, [id, namespace, name, state, now, until, trips, reason]);
}

export async function probeTarget(db: Db, id: Id, { now, until }: { now: number; until: number }): Promise<boolean> {
  return (await db.query(beginProbe, [id, now, until])).length > 0;
}

export async function watchedTargets(db: Db): Promise<(TargetRecord & { waiting: boolean })[]> {
  const rows = await db.query(selectWatched, [WATCHED]);
  return rows.map((row) => ({ ...toTarget(row), waiting: row[columnCount] as boolean }));
}

export async function listTargets(
  db: Db,
  namespace: string,
  { pageSize, after, cap }: { pageSize: number; after: string | null; cap: number },
): Promise<Page<TargetSummary>> {
  const rows = await db.query(selectPage, [namespace, after, pageSize + 1, cap]);
  const items = rows.slice(0, pageSize).map((row) => ({ ...toTarget(row), waiting: row[columnCount] as number }));
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

/** Pools as with `giveBack`: what one node gives up may make room for another. */
export async function parkTasks(pools: Pools, session: Id, tasks: ParkedTask[], now: number): Promise<Id[]> {
  if (tasks.length === 0) return [];
  const targets = [...new Map(tasks.map(({ target }) => [`${target.namespace}\0${target.name}`, target])).values()];
  const rows = await withPartitions(pools.control, () =>
    pools.outcomes.transaction(async (tx) => {
      await tx.query(addTargets, [
        int8Array(targets.map(({ id }) => id)),
        textArray(targets.map(({ namespace }) => namespace)),
        textArray(targets.map(({ name }) => name)),
        now,
      ]);
      return tx.query<[Id]>(park, [
        session,
        int8Array(tasks.map(({ id }) => id)),
        int8Array(tasks.map(({ token }) => token)),
        textArray(tasks.map(({ target }) => target.namespace)),
        textArray(tasks.map(({ target }) => target.name)),
        textArray(tasks.map(({ reason }) => reason)),
      ]);
    }),
  );
  return rows.map(([id]) => id);
}

export async function releaseParked(
  { control }: Pools,
  catalog: Catalog,
  { target, limit, now }: { target: Id; limit: number; now: number },
): Promise<ReleasedTask[]> {
  const rows = await control.query<[laneId: number, priority: number, dueAt: number]>(release, [target, limit, now]);
  await catalog.learn({ lanes: new Set(rows.map(([laneId]) => laneId)) });
  return rows.map(([laneId, priority, dueAt]) => ({ lane: catalog.lane(laneId), priority, dueAt }));
}

// --------------------------------------------------------------------------------------------------------------- statements

const columns = `target.id, target.namespace, target.name, target.state, ${ms("target.since")}, ${ms("target.until")}, target.trips, target.reason`;
const columnCount = 8;

function toTarget(row: unknown[]): TargetRecord {
  const [id, namespace, name, state, since, until, trips, reason] = row as [
    Id,
    string,
    string,
    TargetRecord["state"],
    number,
    number | null,
    number,
    string | null,
  ];
  return { id, namespace, name, state, since, until, trips, reason };
}

/** Of two nodes that open it, the one that leaves it alone for longer counts. */
const upsertTarget: Statement = {
  name: "set_target",
  text: `
insert into target (id, namespace, name, state, since, until, trips, reason)
values ($1, $2, $3, $4, ${instant("$5")}, ${instant("$6")}, $7, $8)
on conflict (namespace, name) do update
   set state = excluded.state,
       since = case when target.state = excluded.state then target.since else excluded.since end,
       until = case when target.state = 'open' and excluded.state = 'open' then greatest(target.until, excluded.until)
                    else excluded.until end,
       trips = excluded.trips, reason = coalesce(excluded.reason, target.reason)`,
};

const beginProbe: Statement = {
  name: "probe_target",
  text: `
update target
   set state = 'half-open', since = case when state = 'half-open' then since else ${instant("$2")} end, until = ${instant("$3")}
 where id = $1 and state <> 'closed' and until <= ${instant("$2")}
returning id`,
};

const selectWatched: Statement = {
  name: "select_watched_targets",
  text: `
select ${columns}, waits.present
  from target
 cross join lateral (
   select exists (select from task where gate_id = target.id and state = 'waiting') as present) waits
 where target.state <> 'closed' or waits.present
 order by target.since
 limit $1`,
};

const selectPage: Statement = {
  name: "select_targets",
  text: `
select ${columns}, waits.many
  from target
 cross join lateral (
   select count(*)::int4 as many
     from (select from task where gate_id = target.id and state = 'waiting' limit $4) counted) waits
 where target.namespace = $1 and ($2::text is null or target.name > $2)
 order by target.name
 limit $3`,
};

/**
 * One that has been well for long begins anew to be: whoever forgets those that were well for a day, and locks its row after this, sees it.
 */
const addTargets: Statement = {
  name: "add_targets",
  text: `
insert into target (id, namespace, name, state, since)
select id, namespace, name, 'closed', ${instant("$4")}
  from unnest($1::int8[], $2::text[], $3::text[]) as x(id, namespace, name)
 order by namespace collate "C", name collate "C"
on conflict (namespace, name) do update set since = excluded.since
 where target.state = 'closed' and target.since < excluded.since - interval '1 hour'`,
};

/** As if it had not been claimed; cancelled if that was asked for meanwhile. */
const park: Statement = {
  name: "park_tasks",
  text: `
with ${leaving}
parked as (
  update task t
     set state = 'waiting', session = null, recall = null, cancel_at = null, started_at = null, worker = null,
         attempt = t.attempt - 1, gate_id = target.id, reason = x.reason
    from held
    join unnest($2::int8[], $4::text[], $5::text[], $6::text[]) as x(id, namespace, name, reason) on x.id = held.id
    join target on target.namespace = x.namespace and target.name = x.name
   where t.id = any($2::int8[]) and t.id = held.id and held.ours and not held.cancelled
  returning t.id)
select id from archived union all select id from parked order by id`,
};

/** They are due from now on: lateness is what comes on top of having waited for the target. */
const release: Statement = {
  name: "release_parked",
  text: `
with found as materialized (
  select id from task
   where gate_id = $1 and state = 'waiting'
   order by band, due_at, id
   limit $2
     for update skip locked)
update task
   set state = 'pending', gate_id = null, reason = null, due_at = greatest(due_at, ${instant("$3")})
 where id = any(array(select id from found))
returning lane_id, priority, ${ms("due_at")}`,
};

export const deleteQuietTargets: Statement = {
  name: "delete_quiet_targets",
  text: `
delete from target
 where id in (
   select id from target
    where state = 'closed' and since < ${instant("$1")}
      and not exists (select from task where gate_id = target.id and state = 'waiting')
    limit $2
      for update skip locked)
returning 1`,
};
