-- Changes to anything that was recorded in the window: one row per change; the review tells which touch the scope.
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive
select
    source_id,
    change_id,
    changed_at,
    kind,
    target,
    actor,
    summary
from change
where changed_at >= $since
    and changed_at < $as_of
order by changed_at, source_id, change_id
