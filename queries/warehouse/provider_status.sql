-- One row per stretch of time in which a component of a provider had one status.
-- Key: source_id, provider, component, since_at, incident_ref.
-- Partition month: since_at.
create table provider_status (
    source_id varchar not null, -- where it was read from
    provider varchar not null, -- provider
    component varchar not null, -- component or components; empty for the provider as a whole
    since_at timestamptz not null, -- instant at which the status began
    until_at timestamptz, -- instant at which it ended; null while it lasts
    status varchar, -- operational, degraded, partial_outage, major_outage, maintenance or unknown
    impact varchar, -- the provider's own word
    incident_ref varchar not null, -- id of the provider's incident; part of the key, because two incidents of one component can begin in the same minute
    title varchar, -- what the provider says
    batch_id varchar not null -- load that brought this row
)
