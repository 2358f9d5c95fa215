-- What started after a resume for what fell into the pause: one row per automation.
-- A run counts that was due in the pause and started after it; one without a due time is not counted.
-- $automation_ids: varchar[], automations that the engine was brought back for
-- $paused_at: timestamptz, UTC, inclusive; what was due before the pause is no backlog of it
-- $resumed_at: timestamptz, UTC
-- $until: timestamptz, UTC, exclusive
select
    automation_id,
    count(*) as fired_count,
    min(started_at) as first_started_at,
    max(started_at) as last_started_at
from run
where list_contains($automation_ids, automation_id)
    and coalesce(scheduled_at, queued_at) >= $paused_at
    and coalesce(scheduled_at, queued_at) < $resumed_at
    and started_at >= $resumed_at
    and started_at < $until
group by automation_id
order by automation_id
