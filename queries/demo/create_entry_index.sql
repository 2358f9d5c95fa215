-- Finds the writes of a second without reading the others.
create index entry_by_instant on entry (written_at, automation_id)
