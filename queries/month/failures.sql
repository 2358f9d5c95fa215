-- Runs that failed or needed another attempt, and those that started with them or next after them: one row per run that
-- ended in the window. A row of failures is told by these alone: other runs lie between runs that went well.
-- $automation_ids: varchar[], the automations under review
-- $environment: varchar, null for every environment; a run that does not say its own counts in each
-- $since: timestamptz, UTC, inclusive, over first_seen_at
-- $ended_since: timestamptz, UTC, inclusive, over finished_at
-- $as_of: timestamptz, UTC, exclusive
-- > finished_at: instant at which it ended, or the latest that its source tells of it where it does not say that
with told as (
    select
        source_id,
        run_id,
        automation_id,
        status,
        first_seen_at,
        started_at,
        coalesce(finished_at, greatest(first_seen_at, scheduled_at, queued_at, started_at)) as finished_at,
        coalesce(attempt_count, 1) as attempt_count
    from run
    where list_contains($automation_ids, automation_id)
        and ($environment is null or environment is null or environment = $environment)
        and first_seen_at >= $since
        and first_seen_at < $as_of
        and (started_at is null or started_at < $as_of)
        and status in ('succeeded', 'failed', 'crashed')
),
ended as (
    select
        source_id,
        run_id,
        automation_id,
        status,
        first_seen_at,
        started_at,
        finished_at,
        attempt_count,
        dense_rank() over (partition by automation_id order by started_at nulls last) as place
    from told
    where finished_at >= $ended_since
        and finished_at < $as_of
),
troubled as (
    select distinct
        automation_id,
        place
    from ended
    where status <> 'succeeded' or attempt_count > 1
)
select
    ended.source_id,
    ended.run_id,
    ended.automation_id,
    ended.status,
    ended.started_at,
    ended.finished_at,
    ended.attempt_count
from ended
where exists (
    select 1
    from troubled
    where troubled.automation_id = ended.automation_id
        and (troubled.place = ended.place or troubled.place = ended.place - 1)
)
order by ended.first_seen_at, ended.source_id, ended.run_id
