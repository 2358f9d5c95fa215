-- One row per line that gives a fact of another content under a key that is already taken.
with taken as (
    select
        row_key,
        content_hash
    from existing_key
    union all
    select
        incoming_key.row_key,
        incoming_key.content_hash
    from incoming_key
    inner join winner on incoming_key.line_number = winner.line_number
)
select
    incoming_key.line_number,
    'the key is taken by a row of other content, which stays' as reason
from incoming_key
inner join taken on incoming_key.row_key = taken.row_key
where incoming_key.content_hash <> taken.content_hash
order by incoming_key.line_number
