-- One row per line read for hold: its values as the table has them, or the first reason to reject the line.
-- $source_id: varchar, source of the rows that name none, or null
-- $naive_offset: varchar, offset of instants written without one (`Z`), or null to reject them
-- $is_text: boolean, the file gives every value as text (CSV), so a number may stand in quotes
with field as (
    select
        line_number,
        coalesce(source_id, $source_id) as source_id,
        hold_id,
        scope,
        purpose,
        mode,
        reason,
        with_offset(placed_at, $naive_offset) as placed_at,
        placed_by,
        with_offset(released_at, $naive_offset) as released_at,
        released_by,
        with_offset(review_by, $naive_offset) as review_by,
        number_text(placed_seq, $is_text) as placed_seq,
        store_id,
        incident_id
    from raw_field
),
typed as (
    select
        line_number,
        source_id,
        hold_id,
        scope,
        purpose,
        mode,
        reason,
        try_cast(placed_at as timestamptz) as placed_at,
        placed_by,
        try_cast(released_at as timestamptz) as released_at,
        released_by,
        try_cast(review_by as timestamptz) as review_by,
        try_cast(placed_seq as bigint) as placed_seq,
        store_id,
        incident_id,
        coalesce(
            key_problem('source_id', source_id),
            key_problem('hold_id', hold_id),
            control_problem(concat(source_id, hold_id)),
            missing_problem('placed_at', placed_at),
            instant_problem('placed_at', placed_at),
            instant_problem('released_at', released_at),
            instant_problem('review_by', review_by),
            whole_number_problem('placed_seq', placed_seq, 0)
        ) as reject_reason
    from field
)
select
    line_number,
    source_id,
    hold_id,
    scope,
    purpose,
    mode,
    reason,
    placed_at,
    placed_by,
    released_at,
    released_by,
    review_by,
    placed_seq,
    store_id,
    incident_id,
    reject_reason
from typed
