-- One row: how many lines become rows.
select count(*) as changed_count
from winner
