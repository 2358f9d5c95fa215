-- One row per line read for audit_event: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        event_id,
        with_offset(occurred_at, $naive_offset) as occurred_at,
        with_offset(recorded_at, $naive_offset) as recorded_at,
        actor,
        action,
        raw_action,
        target_kind,
        target_id,
        outcome,
        reason,
        correlation_id,
        payload
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        event_id,
        try_cast(occurred_at as timestamptz) as occurred_at,
        try_cast(recorded_at as timestamptz) as recorded_at,
        actor,
        action,
        raw_action,
        target_kind,
        target_id,
        one_of(outcome, ['success', 'failure', 'pending', 'unknown']) as outcome,
        reason,
        correlation_id,
        payload,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('event_id', event_id),
            missing_problem('occurred_at', occurred_at),
            instant_problem('occurred_at', occurred_at),
            instant_problem('recorded_at', recorded_at),
            key_problem('action', action),
            control_problem(concat(source_id, event_id, action))
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    event_id,
    occurred_at,
    recorded_at,
    actor,
    action,
    raw_action,
    target_kind,
    target_id,
    outcome,
    reason,
    correlation_id,
    payload,
    reject_reason
from typed
