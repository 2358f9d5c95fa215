-- Approvals that the automations under review asked of people: one row per request, as it was at $as_of.
-- $automation_ids: varchar[], the automations under review
-- $since: timestamptz, UTC, inclusive; requests that were undecided then are kept whatever their age
-- $as_of: timestamptz, UTC, exclusive; an answer given later is not known yet
select
    source_id,
    approval_id,
    run_id,
    automation_id,
    action,
    risk,
    requested_at,
    requested_by,
    expires_at,
    case when decided_at < $as_of then decided_at end as decided_at,
    case when decided_at < $as_of then decided_by end as decided_by,
    case when decided_at < $as_of then decision end as decision,
    case when decided_at < $as_of then reason end as reason
from approval
where list_contains($automation_ids, automation_id)
    and requested_at < $as_of
    and (requested_at >= $since or decided_at is null or decided_at >= $since)
order by requested_at, source_id, approval_id
