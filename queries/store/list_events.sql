-- One row per event, in order; as bytes, so that one damaged row does not hide the others.
-- $after_seq: integer, exclusive
-- $until_seq: integer, inclusive, or null for all
select
    seq,
    cast(prev_hash as blob) as prev_hash,
    cast(hash as blob) as hash,
    cast(body as blob) as body
from event
where seq > $after_seq and ($until_seq is null or seq <= $until_seq)
order by seq
