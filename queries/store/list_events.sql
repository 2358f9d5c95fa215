-- One row per event, in order; as bytes, so that one damaged row does not hide the others.
-- $after_seq: integer, exclusive
-- $until_seq: integer, inclusive, or null for all
select
    seq,
    coalesce(cast(prev_hash as blob), x'') as prev_hash,
    coalesce(cast(hash as blob), x'') as hash,
    coalesce(cast(body as blob), x'') as body
from event
where seq > $after_seq and ($until_seq is null or seq <= $until_seq)
order by seq
