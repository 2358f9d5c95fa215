-- Runs of the automations under review: one row per run, as it was at $as_of.
-- A run that ended later is still in flight here, so that a review of an instant never knows its future.
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over first_seen_at
-- $as_of: timestamptz, UTC, exclusive
select
    source_id,
    run_id,
    automation_id,
    trigger,
    case
        when started_at >= $as_of then 'scheduled'
        when finished_at >= $as_of then 'running'
        else status
    end as status,
    raw_status,
    run_mode,
    environment,
    first_seen_at,
    scheduled_at,
    queued_at,
    case when started_at < $as_of then started_at end as started_at,
    case when finished_at < $as_of then finished_at end as finished_at,
    case when vanished_at < $as_of then vanished_at end as vanished_at,
    coalesce(attempt_count, 1) as attempt_count,
    triggered_by,
    version,
    provider,
    tool,
    cast(cost_amount as double) as cost_amount,
    cost_currency,
    token_count,
    context_as_of,
    error_signature,
    error_message
from run
where list_contains($automation_ids, automation_id)
    and ($environment is null or environment is null or environment = $environment)
    and first_seen_at >= $since
    and first_seen_at < $as_of
order by first_seen_at, source_id, run_id
