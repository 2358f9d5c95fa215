-- Holds that stood at any instant of the window: one row per hold, as it was at $as_of.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $since: timestamptz, UTC, inclusive; holds released before it are left out
-- $as_of: timestamptz, UTC, exclusive; a release after it is not known yet
select
    hold_id,
    scope,
    purpose,
    mode,
    reason,
    incident_id,
    placed_at,
    placed_by,
    placed_seq,
    review_by,
    case when released_at < $as_of then released_at end as released_at,
    case when released_at < $as_of then released_by end as released_by
from hold
where source_id = $store_id
    and placed_at < $as_of
    and (released_at is null or released_at >= $since)
order by placed_at, hold_id
