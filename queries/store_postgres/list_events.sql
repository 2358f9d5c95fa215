-- One row per event, in order.
-- $after_seq: integer, exclusive
-- $until_seq: integer, inclusive, or null for all
select e.seq, e.prev_hash, e.hash, e.body
from workbench.event as e
where e.seq > $after_seq::bigint and ($until_seq::bigint is null or e.seq <= $until_seq::bigint)
order by e.seq
