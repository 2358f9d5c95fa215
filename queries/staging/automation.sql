-- One row per line read for automation: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
-- $is_text: boolean, the file gives every value as text (CSV), so a number may stand in quotes
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        automation_id,
        kind,
        category,
        environment,
        owner,
        restart_owner,
        deputy,
        engine,
        provider,
        tools,
        number_text(expected_interval_seconds, $is_text) as expected_interval_seconds,
        with_offset(retired_at, $naive_offset) as retired_at,
        trigger,
        approval_requirement,
        retry_behaviour,
        failure_notification,
        kill_switch,
        input_data,
        output,
        with_offset(last_drill_at, $naive_offset) as last_drill_at
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        automation_id,
        one_of(kind, ['workflow', 'watcher', 'agent', 'playbook', 'custom_tool', 'unknown']) as kind,
        category,
        environment,
        owner,
        restart_owner,
        deputy,
        engine,
        provider,
        tools,
        try_cast(expected_interval_seconds as bigint) as expected_interval_seconds,
        try_cast(retired_at as timestamptz) as retired_at,
        trigger,
        approval_requirement,
        retry_behaviour,
        failure_notification,
        kill_switch,
        input_data,
        output,
        try_cast(last_drill_at as timestamptz) as last_drill_at,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('automation_id', automation_id),
            control_problem(concat(source_id, automation_id)),
            whole_number_problem('expected_interval_seconds', expected_interval_seconds, 0),
            instant_problem('retired_at', retired_at),
            instant_problem('last_drill_at', last_drill_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    automation_id,
    kind,
    category,
    environment,
    owner,
    restart_owner,
    deputy,
    engine,
    provider,
    tools,
    expected_interval_seconds,
    retired_at,
    trigger,
    approval_requirement,
    retry_behaviour,
    failure_notification,
    kill_switch,
    input_data,
    output,
    last_drill_at,
    reject_reason
from typed
