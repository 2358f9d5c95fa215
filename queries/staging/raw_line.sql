-- One row per line of the block that is neither blank nor already refused, with its top-level keys; null keys: not JSON.
select
    line_number,
    line,
    try(json_keys(line)) as keys
from block
