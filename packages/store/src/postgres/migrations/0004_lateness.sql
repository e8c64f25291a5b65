-- How late tasks started, as each node counted it: a row for each queue and five minutes, replaced until they are over.
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
