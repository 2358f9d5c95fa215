-- One row per accepted line of the block, with the values that the table will have.
select * exclude (reject_reason)
from checked
where reject_reason is null
