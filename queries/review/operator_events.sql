-- What people did that is audited outside of runs: one row per event.
-- $automation_ids: varchar[], the automations under review; their own actions are left out
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive
select
    source_id,
    event_id,
    occurred_at,
    coalesce(actor, '') as actor,
    action,
    target_kind,
    target_id,
    outcome,
    reason
from audit_event
where occurred_at >= $since
    and occurred_at < $as_of
    and correlation_id is null
    and (actor is null or not list_contains($automation_ids, actor))
    and (action like 'incident.%' or action like 'deployment.%' or action like 'alert.%'
        or action like 'run.scheduled' or action like 'run.cancel%' or action like 'record.verified'
        or action like 'action_item.%')
order by occurred_at, source_id, event_id
