-- Runs of a name, one row per source that knows one: what somebody who reviewed it says that they looked at.
-- Not bounded in time: it is asked by name.
-- $run_id: varchar, id of the run
select
    source_id,
    run_id,
    automation_id,
    status,
    run_mode
from run
where run_id = $run_id
order by source_id
