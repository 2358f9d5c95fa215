-- One row: how many lines the batch has accepted.
select count(*) as row_count
from staged
where reject_reason is null
