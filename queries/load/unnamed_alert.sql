-- Alerts of one batch that name no automation, so that no review counts them: one row per batch that has any.
-- Not bounded in time: a batch is bounded by itself.
-- $batch_id: varchar, the batch that was loaded
-- > alert_count: alerts of the batch without an automation
select
    batch_id,
    count(*) as alert_count
from alert
where batch_id = $batch_id
    and coalesce(automation_id, '') = ''
group by batch_id
order by batch_id
