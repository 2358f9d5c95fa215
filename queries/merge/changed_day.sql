-- One row per partition day whose file must be written again: it gains a row, or loses one to another day.
select partition_day
from winner
union
select existing_key.partition_day
from existing_key
inner join winner on existing_key.row_key = winner.row_key
order by partition_day
