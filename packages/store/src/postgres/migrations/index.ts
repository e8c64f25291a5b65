/** The .sql files of this folder, inlined by inline.mjs. */
export interface Migration {
  version: number;
  name: string;
  text: string;
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "tasks",
    text: `-- Everything a task touches on its way from registration to outcome. Tables are found through search_path (schema carillon).

create type task_state as enum ('blocked', 'pending', 'waiting', 'claimed', 'running', 'succeeded', 'failed', 'cancelled', 'skipped');
create type task_trigger as enum ('api', 'sql', 'schedule', 'backfill', 'manual', 'workflow');

-- Who may run a task: what a worker must serve to get it. Rows are never deleted; nodes cache them.
create table lane (
  id        int generated always as identity primary key,
  namespace text collate "C" not null,
  queue     text collate "C" not null,
  type      text collate "C" not null,
  requires  jsonb not null default '{}',
  unique (namespace, queue, type, requires)
);

-- How a task is retried and how long it may take. Equal policies are one row, so that a task carries four bytes of it.
create table policy (
  id   int generated always as identity primary key,
  body text collate "C" not null unique
);

-- What the latest worker declared for a type; a create that leaves a field out takes it from here.
create table task_type (
  namespace   text collate "C" not null,
  type        text collate "C" not null,
  declaration jsonb not null,
  declared_at timestamptz not null,
  primary key (namespace, type)
);

-- A node's life. \`beat\` grows with every renewal; whoever sees the same beat long enough may mark the session dead.
create table session (
  id         bigint generated always as identity primary key,
  node       text not null,
  url        text,
  slot       smallint not null,
  beat       bigint not null default 0,
  opened_at  timestamptz not null,
  seen_at    timestamptz not null,
  starting   boolean not null default false,      -- has yet to find out whether there was a downtime before it
  dead_at    timestamptz,
  closed_at  timestamptz
);
create unique index session_slot on session (slot) where dead_at is null and closed_at is null;

-- Stretches in which no node was alive: fires inside are missed, and the schedule's catch-up policy decides.
create table downtime (
  from_at  timestamptz primary key,
  until_at timestamptz not null
);

-- Only tasks that are not final. Narrow rows, no foreign keys. \`band\` is 1 for priorities 1-3, 2 for 4-6, 3 for 7-9.
create table task (
  id               bigint primary key,
  due_at           timestamptz not null,
  session          bigint,
  token            bigint not null default 0,
  lane_id          int not null,
  policy_id        int not null,
  attempt          int not null default 0,
  state            task_state not null,
  band             smallint not null,
  priority         smallint not null,
  failures         smallint not null default 0,
  lost             smallint not null default 0,   -- attempts that took their worker's process with them
  blobs            smallint not null default 0,   -- 1: the payload lies in blob
  has_children     boolean not null default false,
  pending_parents  int not null default 0,
  recall           text collate "C",              -- what its holder shall do: 'cancel' or 'return'
  trigger          task_trigger not null default 'api',
  namespace        text collate "C" not null,
  schedule_id      bigint,
  fire_at          timestamptz,
  start_by         timestamptz,
  finish_by        timestamptz,
  started_at       timestamptz,
  cancel_at        timestamptz,
  gate_id          bigint,
  worker           text,
  unique_key       text collate "C",
  payload          text,
  error            text,
  reason           text,
  attempts         jsonb,                         -- the last ten that ended
  tags             text[],
  extra            jsonb,
  check (state in ('blocked', 'pending', 'waiting', 'claimed', 'running')),
  check (band = (priority + 2) / 3),
  check ((session is not null) = (state in ('claimed', 'running')))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

create index task_claim on task (lane_id, band, due_at, id) where state = 'pending';
create index task_lease on task (session) where session is not null;
create index task_recall on task (session) where recall is not null;
create index task_gate on task (gate_id, band, due_at) where state = 'waiting';
create unique index task_unique on task (namespace, unique_key) where unique_key is not null;
create index task_schedule on task (schedule_id, fire_at) where schedule_id is not null;
create index task_start_by on task (start_by) where start_by is not null;
create index task_finish_by on task (finish_by) where finish_by is not null;

-- Final tasks, one partition a day of \`finished_at\`; retention drops partitions.
create table archive (
  id            bigint not null,
  due_at        timestamptz not null,
  started_at    timestamptz,
  finished_at   timestamptz not null,
  session       bigint,
  token         bigint not null,
  lane_id       int not null,
  policy_id     int not null,
  attempt       int not null,
  state         task_state not null,
  priority      smallint not null,
  failures      smallint not null,
  lost          smallint not null,
  blobs         smallint not null,               -- 1: the payload lies in blob, 2: the result
  trigger       task_trigger not null,
  namespace     text collate "C" not null,
  schedule_id   bigint,
  fire_at       timestamptz,
  start_by      timestamptz,
  finish_by     timestamptz,
  cancel_at     timestamptz,
  worker        text,
  unique_key    text collate "C",
  payload       text,
  result        text,
  error         text,
  reason        text,
  attempts      jsonb,
  tags          text[],
  extra         jsonb,
  check (state in ('succeeded', 'failed', 'cancelled', 'skipped'))
) partition by range (finished_at);
create index archive_id on archive (id);
create index archive_schedule on archive (schedule_id, fire_at) where schedule_id is not null;
create index archive_failed on archive (id) where state = 'failed';

-- Payloads and results over 512 bytes, written once. Partitioned by id, which is by day of creation.
create table blob (
  task_id bigint not null,
  kind    smallint not null,                      -- 1 payload, 2 result, as the bits of task.blobs
  data    text not null,
  primary key (task_id, kind)
) partition by range (task_id);

create table log_line (
  task_id bigint not null,
  at      timestamptz not null,
  seq     int not null,
  attempt int not null,
  level   text collate "C" not null,
  message text not null
) partition by range (at);
create index log_line_task on log_line (task_id, at, seq);

-- Answers kept for clients that ask again with the same key.
create table idempotency (
  namespace    text collate "C" not null,
  key          text collate "C" not null,
  request_hash text collate "C" not null,
  response     text not null,
  expires_at   timestamptz not null,
  primary key (namespace, key)
);
create index idempotency_expiry on idempotency (expires_at);

-- Ids made inside PostgreSQL take their counter from here (slots 0 to 15).
create sequence sql_task_id as bigint;
`,
  },
  {
    version: 2,
    name: "schedules",
    text: `create table schedule (
  id            bigint primary key,
  namespace     text collate "C" not null,
  name          text collate "C" not null,
  version       int not null default 1,
  definition    jsonb not null,
  paused        boolean not null default false,
  pause         jsonb,
  -- Every fire up to here has its row in \`fire\`; the planner takes schedules whose mark falls behind.
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
`,
  },
  {
    version: 3,
    name: "past_rules",
    text: `-- What was in force before changes that the planner has not come to yet; each entry tells until when.
alter table schedule add column past jsonb not null default '[]';
`,
  },
  {
    version: 4,
    name: "lateness",
    text: `-- How late tasks started, as each node counted it: a row for each queue and five minutes, replaced until they are over.
create table lateness (
  namespace text collate "C" not null,
  at        timestamptz not null,
  queue     text collate "C" not null,
  writer    bigint not null,                      -- the first session of the process that counted
  counts    float8[] not null,                    -- by bucket of the histogram
  max_ms    float8 not null,
  phases_ms float8[] not null,
  primary key (namespace, at, queue, writer)
);
create index lateness_at on lateness (at);
`,
  },
  {
    version: 5,
    name: "calendars",
    text: `-- Days and hours that schedules exclude by name. Planning reads \`definition\`; \`ics\` is the text that its events were read of.
create table calendar (
  namespace  text collate "C" not null,
  name       text collate "C" not null,
  version    int not null default 1,
  definition jsonb not null,
  ics        text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (namespace, name)
);

-- Which schedules an edit of a calendar concerns: those that are not deleted and name it. Written with the schedule.
create table calendar_use (
  namespace   text collate "C" not null,
  calendar    text collate "C" not null,
  schedule_id bigint not null,
  primary key (namespace, calendar, schedule_id)
);
create index calendar_use_schedule on calendar_use (schedule_id);
`,
  },
  {
    version: 6,
    name: "gates",
    text: `-- Where tasks wait for more than their instant: \`task.gate_id\`, in state 'waiting'. The gate of a schedule has the schedule's id. A row is
-- there while something waits, and says when the gate is to be judged next; what occupies it is read from \`task\` itself.
create table gate (
  id      bigint primary key,
  look_at timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index gate_look on gate (look_at);
`,
  },
  {
    version: 7,
    name: "operations",
    text: `-- Those that wait for a first start that has a deadline.
drop index task_start_by;
create index task_start_by on task (start_by, id) where start_by is not null and state in ('pending', 'waiting') and attempt = 0;

-- What goes on in the background for somebody, page by page: whoever locks the row of one that is due makes its next page.
create table operation (
  id          bigint primary key,
  namespace   text collate "C" not null,
  kind        text collate "C" not null,
  state       text collate "C" not null default 'running' check (state in ('running', 'done', 'cancelled')),
  schedule_id bigint,
  request     text not null,                      -- JSON: all that its pages are made from
  cursor      text,                               -- how far it has come
  matched     bigint not null,
  done        bigint not null default 0,
  skipped     bigint not null default 0,
  failed      bigint not null default 0,
  next_at     timestamptz not null,
  created_at  timestamptz not null,
  finished_at timestamptz,
  check ((state = 'running') = (finished_at is null))
);
create index operation_next on operation (kind, next_at, id) where state = 'running';
create index operation_namespace on operation (namespace, id);
create index operation_finished on operation (finished_at) where state <> 'running';

-- Until when the ledger keeps a day that somebody backfilled long after it.
create index fire_backfilled on fire (task_id) where backfilled;
`,
  },
  {
    version: 9,
    name: "zone_data",
    text: `-- Which time zone data (\`2026a\`) a node plans with; null: it plans nothing.
alter table session add column zone_data text collate "C";

-- What a node alone knows: its workers, and how fast its queues move.
alter table session add column figures jsonb;

-- Which data the plan ahead of a schedule was made with: its fires to come, its mark and its next fire. Null: nothing is planned yet, or
-- its rule does not look at zones.
alter table schedule add column zone_data text collate "C";
create index schedule_zone_data on schedule (zone_data, planned_until) where zone_data is not null and deleted_at is null;

-- What new zone data changed, one row for each schedule that it concerned. \`removed\` and \`added\`: fires.
create table zone_change (
  id           bigint generated always as identity primary key,
  at           timestamptz not null,
  namespace    text collate "C" not null,
  schedule     text collate "C" not null,
  from_version text collate "C" not null,
  to_version   text collate "C" not null,
  removed      timestamptz[] not null,
  added        timestamptz[] not null,
  next_before  timestamptz,
  next_after   timestamptz
);
create index zone_change_namespace on zone_change (namespace, id);
create index zone_change_at on zone_change (at);
`,
  },
  {
    version: 10,
    name: "deleted_schedules",
    text: `-- The planner also takes deleted schedules, until what was due before their end is planned. Of those deleted until now nothing is.
update schedule set past = '[]' where deleted_at is not null and past <> '[]';
drop index schedule_planned;
create index schedule_planned on schedule (planned_until) where deleted_at is null or past <> '[]';
`,
  },
  {
    version: 11,
    name: "queues",
    text: `-- What somebody has set on a queue. A queue that is only used has no row.
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

-- A task is its own slot: what occupies a limit is counted from the tasks that are held. \`limited\` marks those that this index is for.
alter table task add column limited boolean;
create index task_limited on task (lane_id, ((extra ->> 'concurrencyKey') collate "C")) where limited and session is not null;

-- Where tasks wait for their concurrency key: in state 'waiting', their \`gate_id\` is the id of this row, negated, as the gates of schedules
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
`,
  },
  {
    version: 12,
    name: "dependencies",
    text: `-- What waits for what: a row for each end that a blocked task has yet to be told. What a task came after stays in its \`extra\`.
create table dependency (
  parent_id bigint not null,
  child_id  bigint not null,
  primary key (parent_id, child_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index dependency_child on dependency (child_id);

-- Tasks with \`has_children\` that are final, or gone, and whose end has yet to be told: to their children, and to their workflow.
create table ended_task (
  id          bigint primary key,
  state       task_state not null,
  workflow_id bigint,
  check (state in ('succeeded', 'failed', 'cancelled', 'skipped'))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- A set of tasks that was submitted together. Its figures count the ends that were told; \`open\` are the others.
create table workflow (
  id          bigint primary key,
  namespace   text collate "C" not null,
  name        text collate "C" not null,
  on_failure  text collate "C" not null check (on_failure in ('stop', 'continue')),
  state       text collate "C" not null default 'running' check (state in ('running', 'succeeded', 'failed', 'cancelled')),
  stopping    text collate "C" check (stopping in ('failure', 'cancel')), -- what has not started is being ended
  cancel_at   timestamptz,
  reason      text,
  total       int not null,
  open        int not null,
  succeeded   int not null default 0,
  failed      int not null default 0,
  cancelled   int not null default 0,
  skipped     int not null default 0,
  created_at  timestamptz not null,
  finished_at timestamptz,
  check ((state = 'running') = (finished_at is null))
) with (fillfactor = 80);
create index workflow_namespace on workflow (namespace, id);
create index workflow_stopping on workflow (id) where stopping is not null;
create index workflow_finished on workflow (finished_at) where finished_at is not null;

create table workflow_task (
  workflow_id bigint not null,
  position    int not null,
  task_id     bigint not null,
  key         text collate "C" not null,
  primary key (workflow_id, position)
);
`,
  },
  {
    version: 13,
    name: "deadlines_windows_progress",
    text: `-- Tasks whose end has a deadline (finishWithin) and that wait: when each is to be looked at next, because it becomes more urgent, or its
-- time is over.
alter table task add column raise_at timestamptz;
drop index task_finish_by;
create index task_deadline on task (coalesce(raise_at, finish_by), id)
  where finish_by is not null and state in ('blocked', 'pending', 'waiting');

-- Which task a unique key is taken by until then, whether that task is final or not (uniqueFor).
create table unique_window (
  namespace  text collate "C" not null,
  unique_key text collate "C" not null,
  task_id    bigint not null,
  type       text collate "C" not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (namespace, unique_key)
);
create index unique_window_expiry on unique_window (expires_at);

-- What handlers say about how far they have come. Written over and over, and therefore not in the task's row.
create table progress (
  task_id  bigint primary key,
  token    bigint not null,
  at       timestamptz not null,
  fraction float8 not null,
  message  text
) with (fillfactor = 50);
`,
  },
  {
    version: 14,
    name: "workers",
    text: `-- Which workers are connected to the node, as it said last: {"kinds": [...], "workers": [...]}. Apart from figures, since it may be large.
alter table session add column workers jsonb;
`,
  },
  {
    version: 15,
    name: "targets",
    text: `-- What is known of targets that tasks call and that had trouble: their breakers, and where tasks wait meanwhile (\`task.gate_id\`, in state
-- 'waiting'). \`until\`: when an open one may be tried, and a half-open one tried again.
create table target (
  id        bigint primary key,
  namespace text collate "C" not null,
  name      text collate "C" not null,
  state     text collate "C" not null check (state in ('closed', 'open', 'half-open')),
  since     timestamptz not null,
  until     timestamptz,
  trips     int not null default 0,              -- how often it opened without closing in between
  reason    text,                                -- of the last failure
  unique (namespace, name),
  check ((state = 'closed') = (until is null))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
`,
  },
  {
    version: 16,
    name: "stopped_workflows",
    text: `-- A failure has stopped it, and it was not retried since: what joins it, and is not meant for failures, is skipped.
alter table workflow add column stopped boolean not null default false;
`,
  },
  {
    version: 17,
    name: "fair_keys",
    text: `-- Tasks with a fair key are in lanes of their own, one for each part of the keys (1 to 256); 0: those without. So what shares claims
-- between lanes shares them between keys, and no claim has a condition more.
alter table lane add column fair smallint not null default 0;
alter table lane add constraint lane_name unique (namespace, queue, type, requires, fair);
alter table lane drop constraint lane_namespace_queue_type_requires_key;
`,
  },
];
