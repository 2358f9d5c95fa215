-- The registry as it is known: one row per automation that is not retired at $as_of.
-- Not bounded in time: the registry is a state.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $as_of: timestamptz, UTC, exclusive; what was retired later still counts, a later drill is not known yet
select
    automation_id,
    kind,
    category,
    environment,
    owner,
    restart_owner,
    deputy,
    engine,
    provider,
    cast(tools as varchar) as tools,
    expected_interval_seconds,
    approval_requirement,
    kill_switch,
    case when last_drill_at < $as_of then last_drill_at end as last_drill_at
from automation
where source_id = $store_id
    and (retired_at is null or retired_at >= $as_of)
order by automation_id
