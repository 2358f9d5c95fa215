-- How far each pause came at each automation: one row per hold that stood in the window and automation, as it was at $as_of.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $since: timestamptz, UTC, inclusive; those of holds released before it are left out, however old a hold that stands is
-- $as_of: timestamptz, UTC, exclusive; later confirmations are not known yet
select
    t.hold_id,
    t.automation_id,
    t.recorded_at,
    case when t.delivered_at < $as_of then t.delivered_at end as delivered_at,
    case when t.confirmed_at < $as_of then t.confirmed_at end as confirmed_at,
    case when t.quiet_at < $as_of then t.quiet_at end as quiet_at,
    case when t.last_write_at < $as_of then t.last_write_at end as last_write_at
from hold_target as t
inner join hold as h
    on t.source_id = h.source_id
    and t.hold_id = h.hold_id
where t.source_id = $store_id
    and t.recorded_at < $as_of
    and h.placed_at < $as_of
    and (h.released_at is null or h.released_at >= $since)
order by t.recorded_at, t.hold_id, t.automation_id
