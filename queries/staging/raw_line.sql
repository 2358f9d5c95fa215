-- One row per line of the block that is neither blank nor already refused, with its top-level keys; null keys: not JSON.
create or replace temp table raw_line as
select
    line_number,
    cast(line as varchar) as line,
    try(json_keys(cast(line as varchar))) as keys
from block
