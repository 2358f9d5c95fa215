-- One row per line read for provider_status: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        provider,
        component,
        with_offset(since_at, $naive_offset) as since_at,
        with_offset(until_at, $naive_offset) as until_at,
        status,
        impact,
        incident_ref,
        title
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        provider,
        coalesce(component, '') as component,
        try_cast(since_at as timestamptz) as since_at,
        try_cast(until_at as timestamptz) as until_at,
        one_of(status, ['operational', 'degraded', 'partial_outage', 'major_outage', 'maintenance', 'unknown']) as status,
        impact,
        coalesce(incident_ref, '') as incident_ref,
        title,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('provider', provider),
            key_problem('component', coalesce(nullif(component, ''), '-')),
            missing_problem('since_at', since_at),
            instant_problem('since_at', since_at),
            instant_problem('until_at', until_at),
            key_problem('incident_ref', coalesce(nullif(incident_ref, ''), '-')),
            control_problem(concat(source_id, provider, component, incident_ref)),
            case
                when try_cast(until_at as timestamptz) < try_cast(since_at as timestamptz)
                    then 'until_at is before since_at'
            end
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    provider,
    component,
    since_at,
    until_at,
    status,
    impact,
    incident_ref,
    title,
    reject_reason
from typed
