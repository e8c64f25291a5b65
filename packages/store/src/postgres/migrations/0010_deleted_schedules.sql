-- The planner also takes deleted schedules, until what was due before their end is planned.
drop index schedule_planned;
create index schedule_planned on schedule (planned_until) where deleted_at is null or past <> '[]';
