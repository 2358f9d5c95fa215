-- Made-up runs of one day, spread evenly over it and over the automations: one row per run.
-- One run in twenty failed, by the hash of its number, so that the same numbers always make the same rows.
-- $first_run: bigint, number of the first run of the day
-- $run_count: bigint, runs of the day
-- $automation_count: bigint
-- $day_at: timestamptz, UTC, where the day begins
create or replace temp table made_run as
with numbered as (
    select
        r.n,
        $first_run + r.n as number,
        r.n % $automation_count as automation,
        $day_at + to_microseconds(cast(r.n * 86400000000.0 / $run_count as bigint)) as seen_at,
        hash($first_run + r.n) as chance
    from range($run_count) as r (n)
)

select
    'bench' as source_id,
    'run-' || number as run_id,
    'a-' || automation as automation_id,
    'production' as environment,
    'agent' as kind,
    'c-' || automation // 25 as category,
    'prefect' as engine,
    'schedule' as trigger,
    case when chance % 20 = 0 then 'failed' else 'succeeded' end as status,
    case when chance % 20 = 0 then 'FAILED' else 'COMPLETED' end as raw_status,
    'live' as run_mode,
    seen_at as first_seen_at,
    seen_at as scheduled_at,
    seen_at + interval 1 second as queued_at,
    seen_at + interval 2 second as started_at,
    seen_at + interval 3 second + to_microseconds(cast(chance % 60000000 as bigint)) as finished_at,
    seen_at + interval 3 second + to_microseconds(cast(chance % 60000000 as bigint)) as updated_at,
    cast(null as timestamptz) as vanished_at,
    cast(1 as bigint) as attempt_count,
    cast(null as varchar) as parent_run_id,
    'run-' || number as root_run_id,
    'schedule' as triggered_by,
    'v1' as version,
    case automation % 2 when 0 then 'acme-llm' else 'other-llm' end as provider,
    'mail' as tool,
    cast((chance % 1000) / 10000.0 as decimal(18, 6)) as cost_amount,
    'EUR' as cost_currency,
    cast(chance % 4000 as bigint) as token_count,
    seen_at - interval 5 minute as context_as_of,
    case when chance % 20 = 0 then 'HTTP <n> from <host>' end as error_signature,
    case when chance % 20 = 0 then 'HTTP 500 from host-' || automation end as error_message,
    cast(null as map(varchar, varchar)) as labels,
    'made' as batch_id
from numbered
