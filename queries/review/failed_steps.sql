-- Failures at the place where they happened: one row per failed attempt at a step, and one per failed run
-- without a failed step (step_id is then empty). The run's outcome tells whether a retry helped.
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive
-- > failed_at: instant at which the attempt ended, or began where its end is not known; of a run, ended or last told of
-- > run_status: how the run ended, whatever became of the attempt
with seen_run as (
    select
        source_id,
        run_id,
        automation_id,
        status,
        coalesce(finished_at, greatest(first_seen_at, scheduled_at, queued_at, started_at)) as ended_at,
        error_signature,
        error_message
    from run
    where list_contains($automation_ids, automation_id)
        and ($environment is null or environment is null or environment = $environment)
        and first_seen_at >= $since
        and first_seen_at < $as_of
),
failed_attempt as (
    select
        step.source_id,
        step.run_id,
        step.step_id,
        step.attempt,
        seen_run.automation_id,
        coalesce(step.finished_at, step.started_at) as failed_at,
        step.error_signature,
        step.error_message,
        seen_run.status as run_status
    from step
    inner join seen_run on seen_run.source_id = step.source_id and seen_run.run_id = step.run_id
    where list_contains($automation_ids, step.automation_id)
        and step.status in ('failed', 'crashed')
        and step.started_at >= $since
        and coalesce(step.finished_at, step.started_at) < $as_of
),
failed_run as (
    select
        seen_run.source_id,
        seen_run.run_id,
        '' as step_id,
        1 as attempt,
        seen_run.automation_id,
        seen_run.ended_at as failed_at,
        seen_run.error_signature,
        seen_run.error_message,
        seen_run.status as run_status
    from seen_run
    left join failed_attempt
        on failed_attempt.source_id = seen_run.source_id and failed_attempt.run_id = seen_run.run_id
    where seen_run.status in ('failed', 'crashed')
        and failed_attempt.run_id is null
        and seen_run.ended_at < $as_of
)
select
    source_id,
    run_id,
    step_id,
    attempt,
    automation_id,
    failed_at,
    coalesce(error_signature, error_message, '(no error text)') as error_signature,
    error_message,
    run_status
from failed_attempt
union all
select
    source_id,
    run_id,
    step_id,
    attempt,
    automation_id,
    failed_at,
    coalesce(error_signature, error_message, '(no error text)') as error_signature,
    error_message,
    run_status
from failed_run
order by failed_at, source_id, run_id, step_id, attempt
