-- Incidents that began in the window: one row per incident, as it was at $as_of.
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; what happened later is not known yet
select
    source_id,
    incident_id,
    title,
    severity,
    started_at,
    case when detected_at < $as_of then detected_at end as detected_at,
    case when acknowledged_at < $as_of then acknowledged_at end as acknowledged_at,
    case when paused_at < $as_of then paused_at end as paused_at,
    case when mitigated_at < $as_of then mitigated_at end as mitigated_at,
    case when resolved_at < $as_of then resolved_at end as resolved_at,
    scope
from incident
where started_at >= $since
    and started_at < $as_of
order by started_at, source_id, incident_id
