-- One row per line read for change: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        change_id,
        with_offset(changed_at, $naive_offset) as changed_at,
        kind,
        target,
        actor,
        summary
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        change_id,
        try_cast(changed_at as timestamptz) as changed_at,
        one_of(kind, ['deploy', 'config', 'prompt', 'permission', 'provider', 'schedule', 'unknown']) as kind,
        target,
        actor,
        summary,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('change_id', change_id),
            control_problem(concat(source_id, change_id)),
            missing_problem('changed_at', changed_at),
            instant_problem('changed_at', changed_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    change_id,
    changed_at,
    kind,
    target,
    actor,
    summary,
    reject_reason
from typed
