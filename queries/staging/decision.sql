-- One row per line read for decision: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        decision_id,
        hold_id,
        report_id,
        verdict,
        decision,
        with_offset(decided_at, $naive_offset) as decided_at,
        decided_by,
        reason
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        decision_id,
        hold_id,
        report_id,
        verdict,
        decision,
        try_cast(decided_at as timestamptz) as decided_at,
        decided_by,
        reason,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('decision_id', decision_id),
            control_problem(concat(source_id, decision_id)),
            missing_problem('decided_at', decided_at),
            instant_problem('decided_at', decided_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    decision_id,
    hold_id,
    report_id,
    verdict,
    decision,
    decided_at,
    decided_by,
    reason,
    reject_reason
from typed
