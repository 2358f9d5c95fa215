-- Words of a source that are no status here: one row per word of one batch, with the number of its runs.
-- $batch_id: varchar, the batch that was loaded
select
    coalesce(raw_status, '') as raw_status,
    count(*) as run_count
from run
where batch_id = $batch_id
    and status = 'unknown'
group by coalesce(raw_status, '')
order by run_count desc, raw_status
