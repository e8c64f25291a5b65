create table schedule (
  id            bigint primary key,
  namespace     text collate "C" not null,
  name          text collate "C" not null,
  version       int not null default 1,
  definition    jsonb not null,
  paused        boolean not null default false,
  pause         jsonb,
  -- Every fire up to here has its row in `fire`; the planner takes schedules whose mark falls behind.
  planned_until timestamptz not null,
  fires         bigint not null default 0,
  next_fire_at  timestamptz,
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  deleted_at    timestamptz
);
create unique index schedule_name on schedule (namespace, name) where deleted_at is null;
create index schedule_planned on schedule (planned_until) where deleted_at is null;

-- The ledger: every fire of every schedule, with what became of it. The primary key is what makes a fire one task for ever.
create table fire (
  schedule_id bigint not null,
  fire_at     timestamptz not null,
  outcome     text collate "C" not null check (outcome in ('task', 'skipped', 'missed', 'withdrawn')),
  task_id     bigint,
  version     int not null,
  reason      text,
  caught_up   boolean not null default false,
  backfilled  boolean not null default false,
  primary key (schedule_id, fire_at),
  check ((outcome = 'task') = (task_id is not null))
) partition by range (fire_at);
