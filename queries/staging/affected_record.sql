-- One row per line read for affected_record: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
-- $is_text: boolean, the file gives every value as text (CSV), so a number may stand in quotes
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        run_id,
        record_type,
        record_id,
        number_text(change_seq, $is_text) as change_seq,
        automation_id,
        with_offset(changed_at, $naive_offset) as changed_at,
        change,
        before,
        after,
        reversibility,
        number_text(customer_facing, $is_text) as customer_facing,
        with_offset(verified_at, $naive_offset) as verified_at,
        verified_by
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        run_id,
        record_type,
        record_id,
        try_cast(change_seq as bigint) as change_seq,
        automation_id,
        try_cast(changed_at as timestamptz) as changed_at,
        one_of(change, ['create', 'update', 'delete', 'send', 'unknown']) as change,
        before,
        after,
        one_of(reversibility, ['reversible', 'compensable', 'irreversible', 'unknown']) as reversibility,
        try_cast(customer_facing as boolean) as customer_facing,
        try_cast(verified_at as timestamptz) as verified_at,
        verified_by,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('run_id', run_id),
            key_problem('record_type', record_type),
            key_problem('record_id', record_id),
            missing_problem('change_seq', change_seq),
            whole_number_problem('change_seq', change_seq, 0),
            key_problem('automation_id', automation_id),
            control_problem(concat(source_id, run_id, record_type, record_id, automation_id)),
            missing_problem('changed_at', changed_at),
            instant_problem('changed_at', changed_at),
            truth_problem('customer_facing', customer_facing),
            instant_problem('verified_at', verified_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    run_id,
    record_type,
    record_id,
    change_seq,
    automation_id,
    changed_at,
    change,
    before,
    after,
    reversibility,
    customer_facing,
    verified_at,
    verified_by,
    reject_reason
from typed
