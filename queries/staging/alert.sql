-- One row per line read for alert: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        alert_id,
        with_offset(fired_at, $naive_offset) as fired_at,
        automation_id,
        rule,
        severity,
        with_offset(resolved_at, $naive_offset) as resolved_at,
        with_offset(acknowledged_at, $naive_offset) as acknowledged_at,
        acknowledged_by,
        summary
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        alert_id,
        try_cast(fired_at as timestamptz) as fired_at,
        automation_id,
        rule,
        severity,
        try_cast(resolved_at as timestamptz) as resolved_at,
        try_cast(acknowledged_at as timestamptz) as acknowledged_at,
        acknowledged_by,
        summary,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('alert_id', alert_id),
            control_problem(concat(source_id, alert_id)),
            missing_problem('fired_at', fired_at),
            instant_problem('fired_at', fired_at),
            instant_problem('resolved_at', resolved_at),
            instant_problem('acknowledged_at', acknowledged_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    alert_id,
    fired_at,
    automation_id,
    rule,
    severity,
    resolved_at,
    acknowledged_at,
    acknowledged_by,
    summary,
    reject_reason
from typed
