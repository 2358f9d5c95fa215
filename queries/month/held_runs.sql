-- Runs that started while a hold stood over their automation, or were in flight when one was placed: one row per run,
-- as it was at $as_of. What leaked past a pause is among them; the others tell nothing of it.
-- A hold counts from its command, or from the earliest instant known of it, so that no receipt is missed.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over first_seen_at; holds released before it are left out
-- $as_of: timestamptz, UTC, exclusive
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
)
select
    run.source_id,
    run.run_id,
    run.automation_id,
    case
        when run.started_at >= $as_of then 'scheduled'
        when run.finished_at >= $as_of then 'running'
        else run.status
    end as status,
    case when run.started_at < $as_of then run.started_at end as started_at,
    case when run.finished_at < $as_of then run.finished_at end as finished_at,
    run.error_message
from run
where list_contains($automation_ids, run.automation_id)
    and ($environment is null or run.environment is null or run.environment = $environment)
    and run.first_seen_at >= $since
    and run.first_seen_at < $as_of
    and exists (
        select 1
        from standing
        where standing.automation_id = run.automation_id
            and run.started_at <= standing.until_at
            and (run.started_at >= standing.held_at or run.finished_at is null or run.finished_at > standing.held_at)
    )
order by run.first_seen_at, run.source_id, run.run_id
