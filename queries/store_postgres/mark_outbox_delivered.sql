-- Notes that what was decided up to a position has been delivered (published to the gate).
-- $seq: integer, inclusive
-- $delivered_at: text, UTC
update workbench.outbox set delivered_at = $delivered_at
where decided_seq <= $seq and delivered_at is null
