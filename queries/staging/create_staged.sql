-- One row per accepted line of the batch, with the columns of the table and the line's number.
create temp table staged as
select * exclude (reject_reason)
from checked
limit 0
