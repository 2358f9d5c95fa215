-- One row: where the log stands, locked: no other writer adds an event before this transaction ends.
select h.seq, h.hash
from workbench.head as h
where h.slot = 1
for update
