-- One row per source that the batch has rows of.
select distinct source_id
from staged
order by source_id
