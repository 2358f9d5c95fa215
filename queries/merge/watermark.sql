-- One row per source and table of the batch, the newest knowledge of each.
select
    source_id,
    table_name,
    strftime(loaded_until_at, '%Y-%m-%dT%H:%M:%S.%fZ') as loaded_until_at,
    strftime(checked_at, '%Y-%m-%dT%H:%M:%S.%fZ') as checked_at
from staged
order by checked_at, line_number
