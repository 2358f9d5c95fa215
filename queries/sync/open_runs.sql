-- One row per run of a source that was not over when it was last read, whole, so that it can be written again.
-- Not bounded in time: a run that is not over counts whatever its age.
-- $source_id: varchar, the engine that is read
select
    source_id,
    run_id,
    automation_id,
    environment,
    kind,
    category,
    engine,
    trigger,
    status,
    raw_status,
    run_mode,
    first_seen_at,
    scheduled_at,
    queued_at,
    started_at,
    finished_at,
    updated_at,
    vanished_at,
    attempt_count,
    parent_run_id,
    root_run_id,
    triggered_by,
    version,
    provider,
    tool,
    cost_amount,
    cost_currency,
    token_count,
    context_as_of,
    error_signature,
    error_message,
    labels
from run
where source_id = $source_id
    and vanished_at is null
    and status in ('scheduled', 'queued', 'starting', 'running', 'waiting', 'held', 'retrying', 'unknown')
order by run_id
