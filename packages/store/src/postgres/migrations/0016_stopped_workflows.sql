-- A failure has stopped it, and it was not retried since: what joins it, and is not meant for failures, is skipped.
alter table workflow add column stopped boolean not null default false;
