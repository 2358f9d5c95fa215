-- What was spent lately: one row per automation and currency, over runs that ended within a day.
-- $automation_ids: varchar[], the automations that are looked at
-- A run whose source does not say when it ended counts from the latest instant that it tells.
-- $since: timestamptz, UTC, inclusive, over first_seen_at; a run may have begun before the day
-- $day_since: timestamptz, UTC, inclusive, over finished_at: a day before $as_of
-- $hour_since: timestamptz, UTC, inclusive, over finished_at: an hour before $as_of
-- $as_of: timestamptz, UTC, exclusive, over finished_at
-- > hour_amount: exact decimal as text, in the currency, of runs that ended within the hour
-- > day_amount: exact decimal as text, in the currency, of runs that ended within the day
with ended as (
    select
        automation_id,
        cost_currency,
        cost_amount,
        coalesce(finished_at, greatest(first_seen_at, scheduled_at, queued_at, started_at)) as finished_at
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
        and cost_amount is not null
        and (finished_at is not null or status in ('succeeded', 'failed', 'crashed', 'cancelled', 'skipped'))
)
select
    automation_id,
    coalesce(cost_currency, '') as cost_currency,
    cast(sum(case when finished_at >= $hour_since then cost_amount else 0 end) as varchar) as hour_amount,
    cast(sum(cost_amount) as varchar) as day_amount
from ended
where finished_at >= $day_since
    and finished_at < $as_of
group by automation_id, coalesce(cost_currency, '')
order by automation_id, cost_currency
