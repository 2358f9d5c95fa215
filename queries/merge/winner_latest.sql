-- One row per line of the batch that becomes the row of its key: of several rows the newest wins, of equally
-- new ones the last that came. Lines whose content the warehouse already has change nothing.
create or replace temp table winner as
with fresh as (
    select *
    from incoming_key
    where not exists (
        select 1
        from existing_key
        where
            existing_key.row_key = incoming_key.row_key
            and existing_key.content_hash = incoming_key.content_hash
    )
),
candidate as (
    select * from fresh
    union all by name
    select * from existing_key where existing_key.row_key in (select row_key from fresh)
),
placed as (
    select
        *,
        row_number() over (
            partition by row_key
            order by order_at desc nulls last, line_number desc nulls last, content_hash
        ) as place
    from candidate
)
select
    line_number,
    row_key,
    partition_day
from placed
where place = 1 and line_number is not null
