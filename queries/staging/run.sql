-- One row per line read for run: its values as the table has them, or the first reason to reject the line.
-- Where the file gives no first_seen_at or updated_at, they are the earliest and latest instant of the row.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
-- $is_text: boolean, the file gives every value as text (CSV), so a number may stand in quotes
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        run_id,
        automation_id,
        environment,
        kind,
        category,
        engine,
        trigger,
        status,
        coalesce(raw_status, status) as raw_status,
        run_mode,
        with_offset(first_seen_at, $naive_offset) as first_seen_at,
        with_offset(scheduled_at, $naive_offset) as scheduled_at,
        with_offset(queued_at, $naive_offset) as queued_at,
        with_offset(started_at, $naive_offset) as started_at,
        with_offset(finished_at, $naive_offset) as finished_at,
        with_offset(updated_at, $naive_offset) as updated_at,
        with_offset(vanished_at, $naive_offset) as vanished_at,
        number_text(attempt_count, $is_text) as attempt_count,
        parent_run_id,
        root_run_id,
        triggered_by,
        version,
        provider,
        tool,
        number_text(cost_amount, $is_text) as cost_amount,
        cost_currency,
        number_text(token_count, $is_text) as token_count,
        with_offset(context_as_of, $naive_offset) as context_as_of,
        error_signature,
        error_message,
        labels,
        unknown_labels
    from raw_field
    left join unknown_label using (line_number)
),
typed as (
    select
        line_number,
        source_id,
        run_id,
        automation_id,
        environment,
        one_of(kind, ['workflow', 'watcher', 'agent', 'playbook', 'custom_tool', 'unknown']) as kind,
        category,
        engine,
        trigger,
        run_status(status) as status,
        raw_status,
        one_of(run_mode, ['live', 'read_only', 'dry_run', 'staging', 'unknown']) as run_mode,
        try_cast(first_seen_at as timestamptz) as first_seen_at,
        try_cast(scheduled_at as timestamptz) as scheduled_at,
        try_cast(queued_at as timestamptz) as queued_at,
        try_cast(started_at as timestamptz) as started_at,
        try_cast(finished_at as timestamptz) as finished_at,
        try_cast(updated_at as timestamptz) as updated_at,
        try_cast(vanished_at as timestamptz) as vanished_at,
        try_cast(attempt_count as bigint) as attempt_count,
        parent_run_id,
        root_run_id,
        triggered_by,
        version,
        provider,
        tool,
        try_cast(cost_amount as decimal(18, 6)) as cost_amount,
        cost_currency,
        try_cast(token_count as bigint) as token_count,
        try_cast(context_as_of as timestamptz) as context_as_of,
        error_signature,
        error_message,
        merged_labels(labels, unknown_labels) as labels,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('run_id', run_id),
            key_problem('automation_id', automation_id),
            key_problem('status', status),
            control_problem(concat(source_id, run_id, automation_id, status)),
            instant_problem('first_seen_at', first_seen_at),
            instant_problem('scheduled_at', scheduled_at),
            instant_problem('queued_at', queued_at),
            instant_problem('started_at', started_at),
            instant_problem('finished_at', finished_at),
            instant_problem('updated_at', updated_at),
            instant_problem('vanished_at', vanished_at),
            whole_number_problem('attempt_count', attempt_count, 0),
            amount_problem('cost_amount', cost_amount),
            whole_number_problem('token_count', token_count, 0),
            instant_problem('context_as_of', context_as_of),
            labels_problem(labels),
            case when cost_amount is not null and cost_currency is null then 'cost_currency is missing' end,
            case
                when cost_currency is not null and not regexp_full_match(cost_currency, '[A-Z]{3}')
                    then 'cost_currency is not a three-letter code'
            end,
            case
                when coalesce(first_seen_at, scheduled_at, queued_at, started_at, finished_at, updated_at) is null
                    then 'no instant says when the run was: give started_at, scheduled_at or first_seen_at'
            end,
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
    automation_id,
    environment,
    kind,
    category,
    engine,
    trigger,
    status,
    raw_status,
    run_mode,
    coalesce(first_seen_at, least(scheduled_at, queued_at, started_at, finished_at, updated_at)) as first_seen_at,
    scheduled_at,
    queued_at,
    started_at,
    finished_at,
    coalesce(
        updated_at, greatest(first_seen_at, scheduled_at, queued_at, started_at, finished_at)
    ) as updated_at,
    vanished_at,
    attempt_count,
    parent_run_id,
    root_run_id,
    triggered_by,
    version,
    provider,
    tool,
    cost_amount,
    cost_currency,
    token_count,
    context_as_of,
    error_signature,
    error_message,
    labels,
    reject_reason
from typed
