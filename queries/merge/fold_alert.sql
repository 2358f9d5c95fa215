-- Fills what a line about an alert does not say from the batch's other lines and the stored row of the same firing, so
-- that firing, acknowledged and resolved make one row in whatever order they come; what a line says itself stays.
update staged
set
    automation_id = coalesce(staged.automation_id, known.automation_id),
    rule = coalesce(staged.rule, known.rule),
    severity = coalesce(staged.severity, known.severity),
    resolved_at = coalesce(staged.resolved_at, known.resolved_at),
    acknowledged_at = coalesce(staged.acknowledged_at, known.acknowledged_at),
    acknowledged_by = coalesce(staged.acknowledged_by, known.acknowledged_by),
    summary = coalesce(staged.summary, known.summary)
from (
    select
        source_id,
        alert_id,
        fired_at,
        arg_max(automation_id, line_number) as automation_id,
        arg_max(rule, line_number) as rule,
        arg_max(severity, line_number) as severity,
        arg_max(resolved_at, line_number) as resolved_at,
        arg_max(acknowledged_at, line_number) as acknowledged_at,
        arg_max(acknowledged_by, line_number) as acknowledged_by,
        arg_max(summary, line_number) as summary
    from (
        select *
        from staged
        union all by name
        select
            0 as line_number,
            *
        from stored_alert
    ) as said
    group by source_id, alert_id, fired_at
) as known
where
    staged.source_id = known.source_id
    and staged.alert_id = known.alert_id
    and staged.fired_at = known.fired_at
