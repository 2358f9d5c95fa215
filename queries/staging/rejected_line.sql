-- One row per line of a block whose values were rejected, with the reason.
-- $first: bigint, first line of the block
-- $last: bigint, last line of the block
select
    line_number,
    reject_reason
from staged
where line_number between $first and $last and reject_reason is not null
order by line_number
