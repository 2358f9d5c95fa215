-- One row per event, in order.
-- $after_seq: integer, exclusive
-- $until_seq: integer, inclusive, or null for all
select seq, prev_hash, hash, body
from event
where seq > $after_seq and ($until_seq is null or seq <= $until_seq)
order by seq
