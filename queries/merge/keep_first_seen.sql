-- Keeps the first known instant of runs that the warehouse already has, so that a run never moves to another day.
update staged
set first_seen_at = stored_match.first_seen_at
from stored_match
where staged.source_id = stored_match.source_id and staged.run_id = stored_match.run_id
