-- Changes of a record that is named as `type/id`: one row per change, as a person who verified it looked at it.
-- Not bounded in time: it is asked by name.
-- $record: varchar, `type/id`
select
    source_id,
    run_id,
    record_type,
    record_id,
    change_seq,
    automation_id,
    changed_at,
    coalesce(nullif(change, ''), 'unknown') as change,
    coalesce(cast(before as varchar), '') as before,
    coalesce(cast(after as varchar), '') as after,
    coalesce(reversibility, 'unknown') as reversibility,
    coalesce(customer_facing, true) as customer_facing
from affected_record
where record_type || '/' || record_id = $record
order by changed_at, source_id, run_id, change_seq
