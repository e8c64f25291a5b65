-- Days and hours that schedules exclude by name. Planning reads `definition`; `ics` is the text that its events were read of.
create table calendar (
  namespace  text collate "C" not null,
  name       text collate "C" not null,
  version    int not null default 1,
  definition jsonb not null,
  ics        text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (namespace, name)
);

-- Which schedules an edit of a calendar concerns: those that are not deleted and name it. Written with the schedule.
create table calendar_use (
  namespace   text collate "C" not null,
  calendar    text collate "C" not null,
  schedule_id bigint not null,
  primary key (namespace, calendar, schedule_id)
);
create index calendar_use_schedule on calendar_use (schedule_id);
