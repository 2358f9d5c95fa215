-- One row: where the log stands according to the head row.
select seq, hash
from head
order by only
