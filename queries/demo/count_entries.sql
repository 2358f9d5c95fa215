-- One row per automation that wrote in the window: how many writes, and how many of them failed.
-- $since: text, UTC, inclusive
-- $until: text, UTC, exclusive
select
    automation_id,
    count(*) as entry_count,
    sum(case when outcome = 'failure' then 1 else 0 end) as failure_count
from entry
where written_at >= $since and written_at < $until
group by automation_id
order by automation_id
