-- Incidents that providers told of: one row per incident with its components as one text, maintenance left out.
-- A stretch of `operational` without an incident of its own is no incident.
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; an end after it is not known yet
-- > subject: the provider: what one history is about
-- > units: the components that it touched, as one text
-- > incident_ref: the incident's id at the provider
-- > began_at: instant at which it began
-- > ended_at: instant of its end, where it was known before $as_of
select
    source_id,
    provider as subject,
    component as units,
    incident_ref,
    since_at as began_at,
    case when until_at < $as_of then until_at end as ended_at
from provider_status
where since_at >= $since
    and since_at < $as_of
    and coalesce(status, 'unknown') <> 'maintenance'
    and (status in ('degraded', 'partial_outage', 'major_outage') or incident_ref <> '')
order by since_at, source_id, provider, component, incident_ref
