-- One row per run of a source that was not over when it was last read, whole, so that it can be written again.
-- $source_id: varchar
select * exclude (batch_id)
from run
where
    source_id = $source_id
    and vanished_at is null
    and status in ('scheduled', 'queued', 'starting', 'running', 'waiting', 'held', 'retrying', 'unknown')
order by run_id
