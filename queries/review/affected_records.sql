-- Changes that the automations under review made to records: one row per change, as it was known at $as_of.
-- $automation_ids: varchar[], the automations under review; null for all
-- $record: varchar, `type/id` of one record; null for all
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; a verification after it is not known yet
select
    source_id,
    run_id,
    record_type,
    record_id,
    change_seq,
    automation_id,
    changed_at,
    change,
    cast(before as varchar) as before,
    cast(after as varchar) as after,
    coalesce(reversibility, 'unknown') as reversibility,
    coalesce(customer_facing, true) as customer_facing,
    case when verified_at < $as_of then verified_at end as verified_at,
    case when verified_at < $as_of then verified_by end as verified_by
from affected_record
where ($automation_ids is null or list_contains($automation_ids, automation_id))
    and ($record is null or record_type || '/' || record_id = $record)
    and changed_at >= $since
    and changed_at < $as_of
order by changed_at, source_id, run_id, record_type, record_id, change_seq
