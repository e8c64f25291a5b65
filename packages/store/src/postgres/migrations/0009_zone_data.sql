-- Which time zone data (`2026a`) a node plans with; null: it plans nothing.
alter table session add column zone_data text collate "C";

-- What a node alone knows: its workers, and how fast its queues move.
alter table session add column figures jsonb;

-- Which data the plan ahead of a schedule was made with: its fires to come, its mark and its next fire. Null: nothing is planned yet, or
-- its rule does not look at zones.
alter table schedule add column zone_data text collate "C";
create index schedule_zone_data on schedule (zone_data, planned_until) where zone_data is not null and deleted_at is null;

-- What new zone data changed, one row for each schedule that it concerned. `removed` and `added`: fires.
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
