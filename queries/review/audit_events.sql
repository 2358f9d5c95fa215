-- Audited actions of, on or within runs of the automations under review: one row per event.
-- $automation_ids: varchar[], the automations under review
-- $since: timestamptz, UTC, inclusive; the run an event belongs to began within the window too
-- $as_of: timestamptz, UTC, exclusive
-- > automation_id: automation whose run it belongs to, else who acted
-- > approval_id: request that it answers or rests on, where its payload names one
with seen_run as (
    select distinct run_id, automation_id
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
)
select
    audit_event.source_id,
    audit_event.event_id,
    audit_event.occurred_at,
    coalesce(audit_event.actor, '') as actor,
    audit_event.action,
    audit_event.target_kind,
    audit_event.target_id,
    audit_event.outcome,
    audit_event.reason,
    audit_event.correlation_id,
    coalesce(seen_run.automation_id, audit_event.actor, '') as automation_id,
    audit_event.payload ->> '$.approval_id' as approval_id
from audit_event
left join seen_run on seen_run.run_id = audit_event.correlation_id
where audit_event.occurred_at >= $since
    and audit_event.occurred_at < $as_of
    and (
        seen_run.run_id is not null
        or list_contains($automation_ids, audit_event.actor)
        or list_contains($automation_ids, audit_event.target_id)
    )
order by audit_event.occurred_at, audit_event.source_id, audit_event.event_id
