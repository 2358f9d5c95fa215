-- What people decided about holds: one row per decision.
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
where decided_at >= $since
    and decided_at < $as_of
order by decided_at, decision_id
