-- What one run usually costs: one row per automation and currency, over the runs that ended before the last ones.
-- A run whose source does not say when it ended counts from the latest instant that it tells.
-- $automation_ids: varchar[], the automations that are looked at
-- $newest_count: bigint, ended runs of each automation that are looked at now and so are not its usual
-- $since: timestamptz, UTC, inclusive, over first_seen_at
-- $as_of: timestamptz, UTC, exclusive, over finished_at
-- > run_count: priced runs behind the median
-- > usual_amount: median cost of one run, in the currency
with ended as (
    select
        source_id,
        run_id,
        automation_id,
        coalesce(cost_currency, '') as cost_currency,
        cast(cost_amount as double) as cost_amount,
        coalesce(finished_at, greatest(first_seen_at, scheduled_at, queued_at, started_at)) as finished_at
    from run
    where list_contains($automation_ids, automation_id)
        and first_seen_at >= $since
        and first_seen_at < $as_of
        and cost_amount is not null
        and (finished_at is not null or status in ('succeeded', 'failed', 'crashed', 'cancelled', 'skipped'))
),
priced as (
    select
        automation_id,
        cost_currency,
        cost_amount,
        row_number() over (
            partition by automation_id
            order by finished_at desc, source_id desc, run_id desc
        ) as place
    from ended
    where finished_at < $as_of
)
select
    automation_id,
    cost_currency,
    count(*) as run_count,
    percentile_cont(0.5) within group (order by cost_amount) as usual_amount
from priced
where place > $newest_count
group by automation_id, cost_currency
order by automation_id, cost_currency
