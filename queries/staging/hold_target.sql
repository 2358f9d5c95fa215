-- One row per line read for hold_target: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        hold_id,
        automation_id,
        with_offset(recorded_at, $naive_offset) as recorded_at,
        with_offset(delivered_at, $naive_offset) as delivered_at,
        with_offset(confirmed_at, $naive_offset) as confirmed_at,
        with_offset(quiet_at, $naive_offset) as quiet_at,
        with_offset(last_write_at, $naive_offset) as last_write_at
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        hold_id,
        automation_id,
        try_cast(recorded_at as timestamptz) as recorded_at,
        try_cast(delivered_at as timestamptz) as delivered_at,
        try_cast(confirmed_at as timestamptz) as confirmed_at,
        try_cast(quiet_at as timestamptz) as quiet_at,
        try_cast(last_write_at as timestamptz) as last_write_at,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('hold_id', hold_id),
            key_problem('automation_id', automation_id),
            control_problem(concat(source_id, hold_id, automation_id)),
            instant_problem('recorded_at', recorded_at),
            instant_problem('delivered_at', delivered_at),
            instant_problem('confirmed_at', confirmed_at),
            instant_problem('quiet_at', quiet_at),
            instant_problem('last_write_at', last_write_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    hold_id,
    automation_id,
    recorded_at,
    delivered_at,
    confirmed_at,
    quiet_at,
    last_write_at,
    reject_reason
from typed
