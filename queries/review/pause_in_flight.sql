-- Runs that were in flight when a pause reached their automation: one row per hold and run, as it was at $as_of.
-- What says "running" while no step began or ended since the pause is frozen, or dead; without steps nothing tells.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over first_seen_at and over the command
-- $as_of: timestamptz, UTC, exclusive
-- > receipt_at: instant at which the pause reached the automation: delivered, else recorded
-- > step_at: instant at which its last step ended, or began where it has not ended
-- > has_open_step: a step of it began and had not ended
-- > is_vanished: its source had lost it by then
with receipt as (
    select
        hold_id,
        automation_id,
        recorded_at,
        case when delivered_at < $as_of then delivered_at else recorded_at end as receipt_at
    from hold_target
    where source_id = $store_id
        and list_contains($automation_ids, automation_id)
        and recorded_at >= $since
        and recorded_at < $as_of
),
last_step as (
    select
        source_id,
        run_id,
        max(case when finished_at < $as_of then finished_at else started_at end) as step_at,
        max(case when finished_at < $as_of then 0 else 1 end) as open_step_count
    from step
    where list_contains($automation_ids, automation_id)
        and started_at >= $since
        and started_at < $as_of
    group by source_id, run_id
)
select
    receipt.hold_id,
    run.source_id,
    run.run_id,
    run.automation_id,
    receipt.receipt_at,
    run.started_at,
    case when run.finished_at < $as_of then run.finished_at end as finished_at,
    case when run.finished_at >= $as_of then 'running' else run.status end as status,
    last_step.step_at,
    coalesce(last_step.open_step_count, 0) > 0 as has_open_step,
    coalesce(run.vanished_at < $as_of, false) as is_vanished
from run
inner join receipt on receipt.automation_id = run.automation_id
left join last_step on last_step.source_id = run.source_id and last_step.run_id = run.run_id
where list_contains($automation_ids, run.automation_id)
    and ($environment is null or run.environment is null or run.environment = $environment)
    and run.first_seen_at >= $since
    and run.first_seen_at < $as_of
    and run.started_at < receipt.receipt_at
    and (run.finished_at is null or run.finished_at > receipt.receipt_at)
order by receipt.hold_id, run.started_at, run.source_id, run.run_id
