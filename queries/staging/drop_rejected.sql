-- Takes the rejected lines out of the batch; they go to ingest_reject.
delete from staged
where reject_reason is not null
