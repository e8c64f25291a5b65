-- Which workers are connected to the node, as it said last: {"kinds": [...], "workers": [...]}. Apart from figures, since it may be large.
alter table session add column workers jsonb;
