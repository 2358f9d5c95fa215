-- One row per line read for incident: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        incident_id,
        title,
        severity,
        with_offset(started_at, $naive_offset) as started_at,
        with_offset(detected_at, $naive_offset) as detected_at,
        with_offset(acknowledged_at, $naive_offset) as acknowledged_at,
        with_offset(paused_at, $naive_offset) as paused_at,
        with_offset(mitigated_at, $naive_offset) as mitigated_at,
        with_offset(resolved_at, $naive_offset) as resolved_at,
        scope
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        incident_id,
        title,
        severity,
        try_cast(started_at as timestamptz) as started_at,
        try_cast(detected_at as timestamptz) as detected_at,
        try_cast(acknowledged_at as timestamptz) as acknowledged_at,
        try_cast(paused_at as timestamptz) as paused_at,
        try_cast(mitigated_at as timestamptz) as mitigated_at,
        try_cast(resolved_at as timestamptz) as resolved_at,
        scope,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('incident_id', incident_id),
            control_problem(concat(source_id, incident_id)),
            instant_problem('started_at', started_at),
            instant_problem('detected_at', detected_at),
            instant_problem('acknowledged_at', acknowledged_at),
            instant_problem('paused_at', paused_at),
            instant_problem('mitigated_at', mitigated_at),
            instant_problem('resolved_at', resolved_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    incident_id,
    title,
    severity,
    started_at,
    detected_at,
    acknowledged_at,
    paused_at,
    mitigated_at,
    resolved_at,
    scope,
    reject_reason
from typed
