-- What is known of targets that tasks call and that had trouble: their breakers, and where tasks wait meanwhile (`task.gate_id`, in state
-- 'waiting'). `until`: when an open one may be tried, and a half-open one tried again.
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
