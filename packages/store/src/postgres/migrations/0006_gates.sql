-- Where tasks wait for more than their instant: `task.gate_id`, in state 'waiting'. The gate of a schedule has the schedule's id. A row is
-- there while something waits, and says when the gate is to be judged next; what occupies it is read from `task` itself.
create table gate (
  id      bigint primary key,
  look_at timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index gate_look on gate (look_at);
