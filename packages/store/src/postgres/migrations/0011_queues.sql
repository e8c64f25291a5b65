-- What somebody has set on a queue. A queue that is only used has no row.
create table queue (
  namespace  text collate "C" not null,
  name       text collate "C" not null,
  version    int not null default 1,
  settings   jsonb not null default '{}',
  paused     boolean not null default false,
  pause      jsonb,
  mode       smallint not null default 0 check (mode between 0 and 2),
  settling   boolean not null default false,      -- claims that began before it was limited or paused may be on their way
  full_at    float8,                              -- epoch ms at which the bucket of its rate limit is full again; null: it is
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (namespace, name)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- How tasks of a lane are claimed. 0: by anybody. 1: its queue is limited, so that one node at a time claims there, under the lock of the
-- queue's row. 2: paused, not at all. A copy of its queue's mode, written in the same transaction.
alter table lane add column mode smallint not null default 0 check (mode between 0 and 2);

-- Nobody sets anything on the queue meanwhile, and what was set before is seen: by a statement that begins after the lock.
create function lane_mode() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended(new.namespace || '/' || new.queue, 11));
  new.mode := coalesce((select mode from queue where queue.namespace = new.namespace and queue.name = new.queue), 0);
  return new;
end $$;
create trigger lane_mode before insert on lane for each row execute function lane_mode();

-- A task is its own slot: what occupies a limit is counted from the tasks that are held. `limited` marks those that this index is for.
alter table task add column limited boolean;
create index task_limited on task (lane_id, ((extra ->> 'concurrencyKey') collate "C")) where limited and session is not null;

-- Where tasks wait for their concurrency key: in state 'waiting', their `gate_id` is the id of this row, negated, as the gates of schedules
-- have the schedules' ids. There is a row while something waits, written under the lock of the queue's row.
create table key_gate (
  id      bigint generated always as identity primary key,
  lane_id int not null,
  key     text collate "C" not null,
  look_at timestamptz,                            -- when the key has a token again; null: it waits for a slot
  unique (lane_id, key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index key_gate_look on key_gate (lane_id, look_at) where look_at is not null;

-- Buckets of keys that are not full.
create table key_rate (
  namespace text collate "C" not null,
  queue     text collate "C" not null,
  key       text collate "C" not null,
  full_at   float8 not null,                      -- epoch ms
  primary key (namespace, queue, key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index key_rate_full on key_rate (full_at);
