-- Runs of one batch whose source does not say when they ended, or when they started: one row per batch that has any.
-- Not bounded in time: a batch is bounded by itself.
-- $batch_id: varchar, the batch that was loaded
-- > endless_count: runs that ended, by their status, at an instant that is not told: how long they took is unknown
-- > startless_count: runs that succeeded, failed or crashed and whose start is not told: no period counts them
select
    batch_id,
    count(case when finished_at is null then 1 end) as endless_count,
    count(
        case when started_at is null and status in ('succeeded', 'failed', 'crashed') then 1 end
    ) as startless_count
from run
where batch_id = $batch_id
    and status in ('succeeded', 'failed', 'crashed', 'cancelled', 'skipped')
    and (finished_at is null or started_at is null)
group by batch_id
order by batch_id
