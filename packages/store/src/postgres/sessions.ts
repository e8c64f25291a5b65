/** Sessions: a node's life. Expiry is observed by others (the same beat for long enough), never computed from clocks. */
import { CarillonError, FIRST_SESSION_SLOT, type Id, SLOTS } from "@carillon/core";
import type { OpenedSession, Recall, Session, Store } from "../store.ts";
import { type Db, sqlState } from "./db.ts";

/** More nodes than this never start at the same moment. */
const OPEN_TIMES = 20;

export async function openSession(db: Db, session: Parameters<Store["openSession"]>[0]): Promise<OpenedSession> {
  for (let times = 1; ; times++) {
    try {
      const [row] = await db.query<[id: Id, slot: number, lastSeenAt: number | null]>(insertSession, [
        session.node,
        session.url,
        session.now,
        session.starting ?? false,
        session.zoneData ?? null,
      ]);
      if (row) return { id: row[0], slot: row[1], lastSeenAt: row[2] };
      throw new CarillonError("unavailable", {
        detail: `All ${SLOTS - FIRST_SESSION_SLOT} slots for nodes are in use.`,
      });
    } catch (error) {
      // Another node took the slot in this moment.
      if (sqlState(error) !== "23505" || times === OPEN_TIMES) throw error;
    }
  }
}

export async function renewSession(db: Db, id: Id, now: number): Promise<{ alive: boolean; recalls: Recall[] }> {
  const rows = await db.query<[task: Id | null, token: bigint, what: Recall["what"], reason: string | null]>(renew, [
    id,
    now,
  ]);
  const recalls = rows.flatMap(([task, token, what, reason]) =>
    task === null ? [] : [{ id: task, token, what, reason }],
  );
  return { alive: rows.length > 0, recalls };
}

export async function sessions(db: Db): Promise<Session[]> {
  const rows = await db.query<[Id, string, string | null, bigint, number | null, boolean, string | null]>(
    selectSessions,
    [],
  );
  return rows.map(([id, node, url, beat, deadAt, starting, zoneData]) => {
    return { id, node, url, beat, deadAt, starting, zoneData };
  });
}

export async function sessionStarted(db: Db, id: Id): Promise<void> {
  await db.query(endStart, [id]);
}

export async function markSessionDead(db: Db, id: Id, beat: bigint, now: number): Promise<boolean> {
  return (await db.query(markDead, [id, beat, now])).length > 0;
}

export async function closeSession(db: Db, id: Id, now: number): Promise<void> {
  await db.query(close, [id, now]);
}

/** The slot after the one that was taken last, so that each rests for long before its next owner makes ids with it. */
const insertSession = {
  name: "insert_session",
  text: `
with last as (
  select coalesce((select slot from session order by id desc limit 1), ${FIRST_SESSION_SLOT - 1}) as slot),
free as (
  select ${FIRST_SESSION_SLOT} + (last.slot - ${FIRST_SESSION_SLOT} + step) % ${SLOTS - FIRST_SESSION_SLOT} as slot, step
    from last cross join generate_series(1, ${SLOTS - FIRST_SESSION_SLOT}) as step)
insert into session (node, url, slot, opened_at, seen_at, starting, zone_data)
select $1, $2, free.slot, to_timestamp($3::float8 / 1000), to_timestamp($3::float8 / 1000), $4, $5
  from free
 where not exists (
   select from session where session.slot = free.slot and dead_at is null and closed_at is null)
 order by free.step
 limit 1
returning id, slot, (extract(epoch from (select max(seen_at) from session where not starting)) * 1000)::float8`,
};

const endStart = {
  name: "end_start_of_session",
  text: "update session set starting = false where id = $1",
};

/** One row without a task for a session that is alive and has no recalls; none for one that is not alive. */
const renew = {
  name: "renew_session",
  text: `
with renewed as (
  update session set beat = beat + 1, seen_at = greatest(seen_at, to_timestamp($2::float8 / 1000))
   where id = $1 and dead_at is null and closed_at is null
  returning id)
select task.id, task.token, task.recall, task.reason
  from renewed left join task on task.session = $1 and task.recall is not null`,
};

/**
 * A claim that was under way while its session was closed may leave leases behind: such a session shows up again until they are taken
 * back. Nobody's claim takes an hour.
 */
const selectSessions = {
  name: "select_sessions",
  text: `
select id, node, url, beat, (extract(epoch from dead_at) * 1000)::float8, starting, zone_data
  from session
 where closed_at is null
    or (closed_at > (select max(seen_at) from session) - interval '1 hour'
        and (select true from task where task.session = session.id limit 1)) -- Not exists: that may read all of task.
 order by id`,
};

const markDead = {
  name: "mark_session_dead",
  text: `
update session set dead_at = to_timestamp($3::float8 / 1000)
 where id = $1 and beat = $2 and dead_at is null
   and (closed_at is null or exists (select from task where task.session = $1))
returning id`,
};

/** One that still holds leases is left to be taken back instead, so that none is forgotten. */
const close = {
  name: "close_session",
  text: `
update session
   set closed_at = case when not held.any then to_timestamp($2::float8 / 1000) end,
       dead_at = case when held.any then coalesce(dead_at, to_timestamp($2::float8 / 1000)) else dead_at end
  from (select exists (select from task where task.session = $1) as any) held
 where id = $1 and closed_at is null`,
};
