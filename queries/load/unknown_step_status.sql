-- Words of a source that are no status here: one row per word of one batch, with the number of its attempts at steps.
-- Not bounded in time: a batch is bounded by itself.
-- $batch_id: varchar, the batch that was loaded
-- > attempt_count: attempts at steps of the batch in that state
select
    coalesce(raw_status, '') as raw_status,
    count(*) as attempt_count
from step
where batch_id = $batch_id
    and status = 'unknown'
group by coalesce(raw_status, '')
order by attempt_count desc, raw_status
