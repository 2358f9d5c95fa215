-- What came after each pause at each automation: one row per hold and automation, as it was at $as_of.
-- Starts and writes are counted from the receipt until the release, whoever let them through: which of them leaked
-- is judged by the check `pause_held`. A count is of what was loaded; `review.watermarks` says how far that is.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over the command
-- $as_of: timestamptz, UTC, exclusive
-- > receipt_at: instant at which the pause reached the automation: delivered, else recorded
-- > watched_until_at: instant of the release, or $as_of
-- > start_count: runs that started from the receipt until then
-- > last_start_at: instant of the last of them
-- > write_count: changes to records from the receipt until then
-- > last_write_at: instant of the last of them
with receipt as (
    select
        hold_target.hold_id,
        hold_target.automation_id,
        hold_target.recorded_at,
        case
            when hold_target.delivered_at < $as_of then hold_target.delivered_at else hold_target.recorded_at
        end as receipt_at,
        case when hold.released_at < $as_of then hold.released_at else $as_of end as watched_until_at
    from hold_target
    inner join hold on hold.source_id = hold_target.source_id and hold.hold_id = hold_target.hold_id
    where hold_target.source_id = $store_id
        and list_contains($automation_ids, hold_target.automation_id)
        and hold.placed_at < $as_of
        and (hold.released_at is null or hold.released_at >= $since)
        and hold_target.recorded_at >= $since
        and hold_target.recorded_at < $as_of
),
started as (
    select
        receipt.hold_id,
        receipt.automation_id,
        count(*) as start_count,
        max(run.started_at) as last_start_at
    from receipt
    inner join run on run.automation_id = receipt.automation_id
    where run.started_at >= receipt.receipt_at
        and run.started_at < receipt.watched_until_at
        and run.first_seen_at >= $since
        and run.first_seen_at < $as_of
        and ($environment is null or run.environment is null or run.environment = $environment)
    group by receipt.hold_id, receipt.automation_id
),
written as (
    select
        receipt.hold_id,
        receipt.automation_id,
        count(*) as write_count,
        max(affected_record.changed_at) as last_write_at
    from receipt
    inner join affected_record on affected_record.automation_id = receipt.automation_id
    where affected_record.changed_at >= receipt.receipt_at
        and affected_record.changed_at < receipt.watched_until_at
        and affected_record.changed_at >= $since
        and affected_record.changed_at < $as_of
    group by receipt.hold_id, receipt.automation_id
)
select
    receipt.hold_id,
    receipt.automation_id,
    receipt.recorded_at,
    receipt.receipt_at,
    receipt.watched_until_at,
    coalesce(started.start_count, 0) as start_count,
    started.last_start_at,
    coalesce(written.write_count, 0) as write_count,
    written.last_write_at
from receipt
left join started
    on started.hold_id = receipt.hold_id and started.automation_id = receipt.automation_id
left join written
    on written.hold_id = receipt.hold_id and written.automation_id = receipt.automation_id
order by receipt.recorded_at, receipt.hold_id, receipt.automation_id
