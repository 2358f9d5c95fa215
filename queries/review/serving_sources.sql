-- Sources that tell of the automations under review: one row per table, source and provider.
-- A source serves when it told of an automation that the same run source runs, or of a provider under review;
-- that another source was loaded says nothing about these automations.
-- $automation_ids: varchar[], the automations under review
-- $providers: varchar[], providers under review
-- $since: timestamptz, UTC, inclusive; older is only a provider's status and an approval that was undecided then
-- $as_of: timestamptz, UTC, exclusive
-- > table_name: table that the source told of
with own_source as (
    select distinct source_id
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
),
neighbour as (
    select distinct run.automation_id
    from run
    inner join own_source on own_source.source_id = run.source_id
    where run.first_seen_at >= $since
        and run.first_seen_at < $as_of
)
select 'run' as table_name, source_id, cast(null as varchar) as provider
from own_source
union
select 'affected_record' as table_name, affected_record.source_id, cast(null as varchar) as provider
from affected_record
inner join neighbour on neighbour.automation_id = affected_record.automation_id
where affected_record.changed_at >= $since
    and affected_record.changed_at < $as_of
union
select 'approval' as table_name, approval.source_id, cast(null as varchar) as provider
from approval
inner join neighbour on neighbour.automation_id = approval.automation_id
where approval.requested_at < $as_of
    and (approval.requested_at >= $since or approval.decided_at is null or approval.decided_at >= $since)
union
select 'provider_status' as table_name, source_id, provider
from provider_status
where list_contains($providers, provider)
    and since_at < $as_of
order by table_name, source_id, provider
