-- What started after a resume for what was due before it, and what went on: one row per automation.
-- A start counts whose run was due before the resume; one without a due time is not counted. What was at work when
-- the pause came and had not ended at the resume went on, and is counted apart.
-- $source_id: varchar, the engine: what a file tells of the same runs is not counted again
-- $automation_ids: varchar[], automations that the engine was brought back for
-- $paused_at: timestamptz, UTC
-- $resumed_at: timestamptz, UTC
-- $until: timestamptz, UTC, exclusive
select
    automation_id,
    sum(
        case
            when started_at >= $resumed_at and coalesce(scheduled_at, queued_at) < $resumed_at then 1 else 0
        end
    ) as fired_count,
    sum(case when started_at < $paused_at then 1 else 0 end) as went_on_count
from run
where source_id = $source_id
    and list_contains($automation_ids, automation_id)
    and started_at < $until
    and (started_at >= $resumed_at or finished_at is null or finished_at >= $resumed_at)
group by automation_id
order by automation_id
