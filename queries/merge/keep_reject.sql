-- Keeps the rejects of other loads; those of this batch are written anew.
-- $batch_ids: varchar[], batches that are loaded now
insert into ingest_reject
select *
from stored_reject
where not list_contains($batch_ids, batch_id)
