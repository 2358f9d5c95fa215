-- One row: when an automation last wrote; null where it never did.
-- $automation_id: text
select max(written_at) as written_at
from entry
where automation_id = $automation_id
