-- What was in force before changes that the planner has not come to yet; each entry tells until when.
alter table schedule add column past jsonb not null default '[]';
