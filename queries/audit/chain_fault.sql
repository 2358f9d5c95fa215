-- Events of the audited log that do not follow from the one before: one row per such event, none for a sound log.
-- The same rule as the workbench's own verification, said in SQL: hash = SHA-256(prev_hash, LF, body).
-- $seq: bigint[], place in the log of each event, in order
-- $prev_hash: varchar[], hash that the event says it follows, in hex
-- $hash: varchar[], hash of the event, in hex
-- $body: varchar[], stored text of the event
-- $genesis: varchar, hash that the first event follows: SHA-256 of the store's id, in hex
-- > seq: place in the log of the event that does not follow
-- > fault: what is wrong with it, in words
with event as (
    select
        unnest($seq) as seq,
        unnest($prev_hash) as prev_hash,
        unnest($hash) as hash,
        unnest($body) as body
),
followed as (
    select
        seq,
        prev_hash,
        hash,
        sha256(concat(prev_hash, chr(10), body)) as own_hash,
        lag(hash, 1, $genesis) over (order by seq) as hash_before,
        row_number() over (order by seq) as place
    from event
)
select
    seq,
    case
        when seq <> place then 'an event before it is missing'
        when prev_hash <> hash_before then 'it does not follow the event before it'
        else 'its content was altered after it was recorded'
    end as fault
from followed
where seq <> place
    or prev_hash <> hash_before
    or hash <> own_hash
order by seq
