-- The last ended runs of each automation, as they were known at $as_of: one row per run.
-- What was cancelled or skipped neither failed nor worked, so it is left out.
-- $automation_ids: varchar[], the automations that are looked at
-- $run_count: bigint, rows for each automation at most
-- $since: timestamptz, UTC, inclusive, over first_seen_at
-- $as_of: timestamptz, UTC, exclusive, over finished_at
-- > finished_at: instant at which it ended, or the latest that its source tells of it where it does not say that
with ended as (
    select
        source_id,
        run_id,
        automation_id,
        status,
        started_at,
        coalesce(finished_at, greatest(first_seen_at, scheduled_at, queued_at, started_at)) as finished_at,
        cast(cost_amount as double) as cost_amount,
        cost_currency,
        context_as_of
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
        and status in ('succeeded', 'failed', 'crashed')
),
numbered as (
    select
        source_id,
        run_id,
        automation_id,
        status,
        started_at,
        finished_at,
        cost_amount,
        cost_currency,
        context_as_of,
        row_number() over (
            partition by automation_id
            order by finished_at desc, source_id desc, run_id desc
        ) as place
    from ended
    where finished_at < $as_of
)
select
    source_id,
    run_id,
    automation_id,
    status,
    started_at,
    finished_at,
    cost_amount,
    cost_currency,
    context_as_of
from numbered
where place <= $run_count
order by finished_at, source_id, run_id
