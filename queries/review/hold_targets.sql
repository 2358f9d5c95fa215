-- How far each pause came at each automation: one row per hold and automation, as it was at $as_of.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive; later confirmations are not known yet
select
    hold_id,
    automation_id,
    recorded_at,
    case when delivered_at < $as_of then delivered_at end as delivered_at,
    case when confirmed_at < $as_of then confirmed_at end as confirmed_at,
    case when quiet_at < $as_of then quiet_at end as quiet_at,
    case when last_write_at < $as_of then last_write_at end as last_write_at
from hold_target
where source_id = $store_id
    and recorded_at >= $since
    and recorded_at < $as_of
order by recorded_at, hold_id, automation_id
