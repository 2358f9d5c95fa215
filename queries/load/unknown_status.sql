-- Words of a source that are no status here: one row per word of one batch, with the number of its runs.
-- Not bounded in time: a batch is bounded by itself.
-- $batch_id: varchar, the batch that was loaded
-- > run_count: runs of the batch in that state
select
    coalesce(raw_status, '') as raw_status,
    count(*) as run_count
from run
where batch_id = $batch_id
    and status = 'unknown'
group by coalesce(raw_status, '')
order by run_count desc, raw_status
