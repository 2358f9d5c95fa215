-- Records that customers see, changed lately: one row per run that changed some.
-- A change that does not say whether customers see it counts as seen.
-- $automation_ids: varchar[], the automations that are looked at
-- $since: timestamptz, UTC, inclusive, over first_seen_at of the runs
-- $hour_since: timestamptz, UTC, inclusive, over changed_at
-- $as_of: timestamptz, UTC, exclusive, over changed_at; a run that ended later is still at work, one that does not say when is not
-- > change_count: changes within the hour that customers see or may see
-- > newest_at: instant of the last of them
with changed as (
    select
        automation_id,
        run_id,
        count(*) as change_count,
        max(changed_at) as newest_at
    from affected_record
    where list_contains($automation_ids, automation_id)
        and coalesce(customer_facing, true)
        and changed_at >= $hour_since
        and changed_at < $as_of
    group by automation_id, run_id
),
known as (
    select
        automation_id,
        run_id,
        max(
            case
                when finished_at < $as_of then status
                when finished_at is null and status in ('succeeded', 'failed', 'crashed', 'cancelled', 'skipped') then status
                else 'running'
            end
        ) as status,
        max(started_at) as started_at,
        max(context_as_of) as context_as_of
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
    group by automation_id, run_id
)
select
    changed.automation_id,
    changed.run_id,
    changed.change_count,
    changed.newest_at,
    known.status,
    known.started_at,
    known.context_as_of
from changed
left join known on known.automation_id = changed.automation_id and known.run_id = changed.run_id
order by changed.newest_at, changed.automation_id, changed.run_id
