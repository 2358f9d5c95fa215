-- One row per line read for run_state: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        run_id,
        with_offset(entered_at, $naive_offset) as entered_at,
        status,
        coalesce(raw_status, status) as raw_status,
        message,
        actor
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        run_id,
        try_cast(entered_at as timestamptz) as entered_at,
        run_status(status) as status,
        raw_status,
        message,
        actor,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('run_id', run_id),
            missing_problem('entered_at', entered_at),
            instant_problem('entered_at', entered_at),
            key_problem('status', status),
            control_problem(concat(source_id, run_id, status))
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    run_id,
    entered_at,
    status,
    raw_status,
    message,
    actor,
    reject_reason
from typed
