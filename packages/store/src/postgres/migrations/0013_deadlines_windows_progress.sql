-- Tasks whose end has a deadline (finishWithin) and that wait: when each is to be looked at next, because it becomes more urgent, or its
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
