-- What people decided about holds: one row per decision.
-- $store_id: varchar, the store whose rows count; a warehouse may serve several
-- $since: timestamptz, UTC, inclusive
-- $as_of: timestamptz, UTC, exclusive
select
    decision_id,
    hold_id,
    report_id,
    verdict,
    decision,
    decided_at,
    decided_by,
    reason
from decision
where source_id = $store_id
    and decided_at >= $since
    and decided_at < $as_of
order by decided_at, decision_id
