-- Gives all lines of one run in the batch its earliest known instant, so that they agree on its day.
update staged
set first_seen_at = earliest.first_seen_at
from (
    select
        source_id,
        run_id,
        min(first_seen_at) as first_seen_at
    from staged
    group by source_id, run_id
    having count(*) > 1
) as earliest
where staged.source_id = earliest.source_id and staged.run_id = earliest.run_id
