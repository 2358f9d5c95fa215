-- Our own incidents: one row per incident, with the scope that it touched as its unit.
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; a resolution after it is not known yet
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
