-- What waits for what: a row for each end that a blocked task has yet to be told. What a task came after stays in its `extra`.
create table dependency (
  parent_id bigint not null,
  child_id  bigint not null,
  primary key (parent_id, child_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index dependency_child on dependency (child_id);

-- Tasks with `has_children` that are final, or gone, and whose end has yet to be told: to their children, and to their workflow.
create table ended_task (
  id          bigint primary key,
  state       task_state not null,
  workflow_id bigint,
  check (state in ('succeeded', 'failed', 'cancelled', 'skipped'))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- A set of tasks that was submitted together. Its figures count the ends that were told; `open` are the others.
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
