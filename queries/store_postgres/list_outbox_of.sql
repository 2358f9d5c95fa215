-- One row per automation that one event decided on; sorted by bytes, as SQLite does.
-- $decided_seq: bigint, seq of the deciding event
select o.decided_seq, o.automation_id, o.hold_id, o.desired, o.delivered_at
from workbench.outbox as o
where o.decided_seq = $decided_seq
order by o.automation_id collate "C"
