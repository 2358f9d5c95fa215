-- Sources that tell of each automation, with how far each is loaded: one row per automation, table and source.
-- A source without a watermark has none here: nothing says that its quiet is quiet.
-- $automation_ids: varchar[], the automations that are looked at
-- $since: timestamptz, UTC, inclusive; what a source told earlier does not make it tell now
-- $as_of: timestamptz, UTC, exclusive
-- > table_name: table that the source tells of
with telling as (
    select automation_id, 'run' as table_name, source_id
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
    union
    select automation_id, 'affected_record' as table_name, source_id
    from affected_record
    where list_contains($automation_ids, automation_id)
        and changed_at >= $since
        and changed_at < $as_of
)
select
    telling.automation_id,
    telling.table_name,
    telling.source_id,
    mark.loaded_until_at
from telling
left join source_watermark as mark
    on mark.source_id = telling.source_id and mark.table_name = telling.table_name
order by telling.automation_id, telling.table_name, telling.source_id
