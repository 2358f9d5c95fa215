-- One row per line of the block whose values were rejected, with the reason.
select
    line_number,
    reject_reason
from checked
where reject_reason is not null
order by line_number
