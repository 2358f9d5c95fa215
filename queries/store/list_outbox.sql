-- One row per automation and deciding event.
select decided_seq, automation_id, hold_id, desired, delivered_at
from outbox
order by decided_seq, automation_id
