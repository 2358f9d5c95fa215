-- One row per automation and deciding event; sorted by bytes, as SQLite does.
select o.decided_seq, o.automation_id, o.hold_id, o.desired, o.delivered_at
from workbench.outbox as o
order by o.decided_seq, o.automation_id collate "C"
