-- Our own incidents: one row per incident, with the scope that it touched as its unit.
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; a resolution after it is not known yet
-- > subject: its source: what one history is about
-- > units: the scope that it touched, or an empty text
-- > incident_ref: the incident's id
-- > began_at: instant at which it began
-- > ended_at: instant of its resolution, where it was known before $as_of
select
    source_id,
    source_id as subject,
    coalesce(scope, '') as units,
    incident_id as incident_ref,
    started_at as began_at,
    case when resolved_at < $as_of then resolved_at end as ended_at
from incident
where started_at >= $since
    and started_at < $as_of
order by started_at, source_id, incident_id
