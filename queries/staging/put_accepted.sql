-- Adds the accepted lines of the block to the batch.
insert into staged
select * exclude (reject_reason)
from checked
where reject_reason is null
