-- One row per line read for step: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
-- $is_text: boolean, the file gives every value as text (CSV), so a number may stand in quotes
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        run_id,
        step_id,
        number_text(attempt, $is_text) as attempt,
        automation_id,
        category,
        status,
        coalesce(raw_status, status) as raw_status,
        with_offset(started_at, $naive_offset) as started_at,
        with_offset(finished_at, $naive_offset) as finished_at,
        error_signature,
        error_message
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        run_id,
        step_id,
        try_cast(attempt as bigint) as attempt,
        automation_id,
        category,
        run_status(status) as status,
        raw_status,
        try_cast(started_at as timestamptz) as started_at,
        try_cast(finished_at as timestamptz) as finished_at,
        error_signature,
        error_message,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('run_id', run_id),
            key_problem('step_id', step_id),
            missing_problem('attempt', attempt),
            whole_number_problem('attempt', attempt, 1),
            key_problem('automation_id', automation_id),
            key_problem('status', status),
            control_problem(concat(source_id, run_id, step_id, automation_id, status)),
            instant_problem('started_at', started_at),
            instant_problem('finished_at', finished_at),
            case
                when try_cast(finished_at as timestamptz) < try_cast(started_at as timestamptz)
                    then 'finished_at is before started_at'
            end
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    run_id,
    step_id,
    attempt,
    automation_id,
    category,
    status,
    raw_status,
    started_at,
    finished_at,
    error_signature,
    error_message,
    reject_reason
from typed
