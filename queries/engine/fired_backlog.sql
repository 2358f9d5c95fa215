-- What started after a resume for what was due before it, and what went on: one row per automation.
-- A start counts whose run was due before the resume; one without a due time is not counted. What was at work when
-- the pause came and had neither ended nor vanished at the resume went on, and is counted apart.
-- $source_id: varchar, the engine: what a file tells of the same runs is not counted again
-- $automation_ids: varchar[], automations that the engine was brought back for
-- $since: timestamptz, UTC, inclusive, over first_seen_at; what was first seen earlier neither waits nor works
-- $paused_at: timestamptz, UTC, when the pause was read back
-- $resumed_at: timestamptz, UTC, when bringing it back began
-- $until: timestamptz, UTC, exclusive, over started_at and first_seen_at
-- > fired_count: runs that were due before the resume and started after it
-- > went_on_count: runs that were at work when the pause came and still at the resume
select
    automation_id,
    count(
        case when started_at >= $resumed_at and coalesce(scheduled_at, queued_at) < $resumed_at then 1 end
    ) as fired_count,
    count(case when started_at < $paused_at then 1 end) as went_on_count
from run
where source_id = $source_id
    and list_contains($automation_ids, automation_id)
    and first_seen_at >= $since
    and first_seen_at < $until
    and started_at < $until
    and (
        started_at >= $resumed_at
        or finished_at >= $resumed_at
        or (finished_at is null and status not in ('succeeded', 'failed', 'crashed', 'cancelled', 'skipped'))
    )
    and (started_at >= $resumed_at or vanished_at is null or vanished_at >= $resumed_at)
group by automation_id
order by automation_id
