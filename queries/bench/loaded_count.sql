-- Runs that a loader has put so far: one row.
-- $since: timestamptz, UTC, inclusive, over first_seen_at
-- $as_of: timestamptz, UTC, exclusive
select count(*) as run_count
from run
where source_id like 'more-%'
    and first_seen_at >= $since
    and first_seen_at < $as_of
