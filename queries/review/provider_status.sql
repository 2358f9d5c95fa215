-- What the providers of the automations under review said of themselves: one row per component and stretch of time.
-- $providers: varchar[], providers under review
-- $since: timestamptz, UTC, inclusive; stretches that ended before it are left out
-- $as_of: timestamptz, UTC, exclusive; an end after it is not known yet
select
    source_id,
    provider,
    component,
    since_at,
    case when until_at < $as_of then until_at end as until_at,
    status,
    impact,
    incident_ref,
    title
from provider_status
where list_contains($providers, provider)
    and since_at < $as_of
    and (until_at is null or until_at >= $since)
order by since_at, source_id, provider, component, incident_ref
