-- How the runs of a month ended: one row per automation, status, error that may be the gate's, and, of runs that began
-- while a hold stood over their automation, instant of their beginning. Which of those count is judged by the review.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over first_seen_at; holds released before it are left out
-- $ended_since: timestamptz, UTC, inclusive, over finished_at
-- $as_of: timestamptz, UTC, exclusive, over finished_at
-- > started_at: instant at which the last of them began, or was first seen where that is not known
-- > finished_at: instant at which the last of them ended, or the latest that is told of it where that is not said
-- > error_message: shows which of them the gate refused: those spend nothing; null where it does not look like that
-- > run_count: runs that are alike in all that
with standing as (
    select
        hold_target.automation_id,
        least(
            hold.placed_at, hold_target.recorded_at, coalesce(hold_target.delivered_at, hold_target.recorded_at)
        ) as held_at,
        coalesce(hold.released_at, $as_of) as until_at
    from hold_target
    inner join hold on hold.source_id = hold_target.source_id and hold.hold_id = hold_target.hold_id
    where hold_target.source_id = $store_id
        and list_contains($automation_ids, hold_target.automation_id)
        and hold.placed_at < $as_of
        and (hold.released_at is null or hold.released_at >= $since)
),
told as (
    select
        run.automation_id,
        run.status,
        coalesce(run.started_at, run.first_seen_at) as started_at,
        coalesce(run.finished_at, greatest(run.first_seen_at, run.scheduled_at, run.queued_at, run.started_at)) as finished_at,
        case
            when run.error_message like '%paused by %' or run.error_message like '%cannot tell whether %'
                then run.error_message
        end as error_message
    from run
    where list_contains($automation_ids, run.automation_id)
        and ($environment is null or run.environment is null or run.environment = $environment)
        and run.first_seen_at >= $since
        and run.first_seen_at < $as_of
        and (run.finished_at is not null or run.status in ('succeeded', 'failed', 'crashed', 'cancelled', 'skipped'))
),
ended as (
    select
        automation_id,
        status,
        started_at,
        finished_at,
        error_message
    from told
    where finished_at >= $ended_since
        and finished_at < $as_of
),
placed as (
    select
        ended.automation_id,
        ended.status,
        ended.started_at,
        ended.finished_at,
        ended.error_message,
        exists (
            select 1
            from standing
            where standing.automation_id = ended.automation_id
                and ended.started_at >= standing.held_at
                and ended.started_at <= standing.until_at
        ) as is_held
    from ended
)
select
    automation_id,
    status,
    max(started_at) as started_at,
    max(finished_at) as finished_at,
    error_message,
    count(*) as run_count
from placed
group by automation_id, status, error_message, case when is_held then started_at end
order by automation_id, status, error_message, started_at
