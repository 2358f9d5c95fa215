-- One row per automation that one event decided on.
-- $decided_seq: integer, seq of the deciding event
select decided_seq, automation_id, hold_id, desired, delivered_at
from outbox
where decided_seq = $decided_seq
order by automation_id
