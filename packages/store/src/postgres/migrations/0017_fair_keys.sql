-- Tasks with a fair key are in lanes of their own, one for each part of the keys (1 to 256); 0: those without. So what shares claims
-- between lanes shares them between keys, and no claim has a condition more.
alter table lane add column fair smallint not null default 0;
alter table lane add constraint lane_name unique (namespace, queue, type, requires, fair);
alter table lane drop constraint lane_namespace_queue_type_requires_key;
