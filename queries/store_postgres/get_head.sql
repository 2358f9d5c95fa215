-- One row: where the log stands according to the head row.
select h.seq, h.hash
from workbench.head as h
order by h.slot
