-- One row per line of the batch that becomes the row of its key, for facts that never change: the first stays.
create or replace temp table winner as
with placed as (
    select
        *,
        row_number() over (partition by row_key order by line_number, content_hash) as place
    from incoming_key
    where not exists (select 1 from existing_key where existing_key.row_key = incoming_key.row_key)
)
select
    line_number,
    row_key,
    partition_day
from placed
where place = 1
