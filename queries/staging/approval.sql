-- One row per line read for approval: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        approval_id,
        run_id,
        automation_id,
        action,
        risk,
        with_offset(requested_at, $naive_offset) as requested_at,
        requested_by,
        with_offset(expires_at, $naive_offset) as expires_at,
        with_offset(decided_at, $naive_offset) as decided_at,
        decided_by,
        decision,
        reason
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        approval_id,
        run_id,
        automation_id,
        action,
        risk,
        try_cast(requested_at as timestamptz) as requested_at,
        requested_by,
        try_cast(expires_at as timestamptz) as expires_at,
        try_cast(decided_at as timestamptz) as decided_at,
        decided_by,
        decision,
        reason,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('approval_id', approval_id),
            key_problem('automation_id', automation_id),
            control_problem(concat(source_id, approval_id, automation_id)),
            missing_problem('requested_at', requested_at),
            instant_problem('requested_at', requested_at),
            instant_problem('expires_at', expires_at),
            instant_problem('decided_at', decided_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    approval_id,
    run_id,
    automation_id,
    action,
    risk,
    requested_at,
    requested_by,
    expires_at,
    decided_at,
    decided_by,
    decision,
    reason,
    reject_reason
from typed
