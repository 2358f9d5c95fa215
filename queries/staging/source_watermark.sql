-- One row per line read for source_watermark: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        table_name,
        with_offset(loaded_until_at, $naive_offset) as loaded_until_at,
        with_offset(checked_at, $naive_offset) as checked_at
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        table_name,
        try_cast(loaded_until_at as timestamptz) as loaded_until_at,
        try_cast(checked_at as timestamptz) as checked_at,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('table_name', table_name),
            control_problem(concat(source_id, table_name)),
            missing_problem('loaded_until_at', loaded_until_at),
            instant_problem('loaded_until_at', loaded_until_at),
            missing_problem('checked_at', checked_at),
            instant_problem('checked_at', checked_at)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    table_name,
    loaded_until_at,
    checked_at,
    reject_reason
from typed
