-- One row: the writes of an automation after an instant, and the runs they belong to.
-- $automation_id: text
-- $instant: text, UTC, exclusive
select count(*) as entry_count, count(distinct run_id) as run_count
from entry
where automation_id = $automation_id and written_at > $instant
