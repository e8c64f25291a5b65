-- Those that wait for a first start that has a deadline.
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
