-- The planner also takes deleted schedules, until what was due before their end is planned. Of those deleted until now nothing is.
update schedule set past = '[]' where deleted_at is not null and past <> '[]';
drop index schedule_planned;
create index schedule_planned on schedule (planned_until) where deleted_at is null or past <> '[]';
