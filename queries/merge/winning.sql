-- One row per line of the batch that becomes a row of the table, in the order of the days.
create or replace temp table winning as
select
    staged.*,
    winner.partition_day
from staged
inner join winner on staged.line_number = winner.line_number
order by winner.partition_day
