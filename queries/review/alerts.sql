-- Alerts about the automations under review: one row per firing, as it was at $as_of.
-- $automation_ids: varchar[], the automations under review
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; what was acknowledged or went green later is still open here
select
    source_id,
    alert_id,
    fired_at,
    automation_id,
    rule,
    severity,
    case when resolved_at < $as_of then resolved_at end as resolved_at,
    case when acknowledged_at < $as_of then acknowledged_at end as acknowledged_at,
    case when acknowledged_at < $as_of then acknowledged_by end as acknowledged_by,
    summary
from alert
where list_contains($automation_ids, automation_id)
    and fired_at >= $since
    and fired_at < $as_of
order by fired_at, source_id, alert_id
