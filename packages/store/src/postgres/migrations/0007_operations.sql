-- Those that wait for a first start that has a deadline.
drop index task_start_by;
create index task_start_by on task (start_by, id) where start_by is not null and state in ('pending', 'waiting') and attempt = 0;
