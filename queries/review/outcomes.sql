-- How the runs of the last weeks ended, for error budgets: one row per run that succeeded, failed or crashed by $as_of.
-- What was cancelled or skipped neither failed nor worked, so it is left out.
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over first_seen_at
-- $as_of: timestamptz, UTC, exclusive, over finished_at
-- > finished_at: instant at which it ended, or the latest that its source tells of it where it does not say that
-- > is_failed: it failed or crashed
-- > error_message: shows which of them the gate refused: those spend nothing
with ended as (
    select
        source_id,
        run_id,
        automation_id,
        status,
        coalesce(started_at, first_seen_at) as started_at,
        coalesce(finished_at, greatest(first_seen_at, scheduled_at, queued_at, started_at)) as finished_at,
        error_message
    from run
    where list_contains($automation_ids, automation_id)
        and ($environment is null or environment is null or environment = $environment)
        and first_seen_at >= $since
        and first_seen_at < $as_of
        and status in ('succeeded', 'failed', 'crashed')
)
select
    source_id,
    run_id,
    automation_id,
    started_at,
    finished_at,
    status <> 'succeeded' as is_failed,
    error_message
from ended
where finished_at < $as_of
order by finished_at, source_id, run_id
