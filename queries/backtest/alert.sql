-- Alerts as they fired: one row per firing, with the automation as its unit.
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; a resolution after it is not known yet
-- > subject: its source: what one history is about
-- > units: the automation that the alert names, or an empty text
-- > incident_ref: the alert's id
-- > began_at: instant at which it fired
-- > ended_at: instant of its resolution, where it was known before $as_of
select
    source_id,
    source_id as subject,
    coalesce(automation_id, '') as units,
    alert_id as incident_ref,
    fired_at as began_at,
    case when resolved_at < $as_of then resolved_at end as ended_at
from alert
where fired_at >= $since
    and fired_at < $as_of
order by fired_at, source_id, alert_id
