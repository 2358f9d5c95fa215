-- How far each source is known to be loaded: one row per source and table, with its age at $as_of.
-- What an engine's reading marked is of no file's batch.
-- A source that was read after $as_of has age 0: everything before $as_of is there.
-- Not bounded in time: how far a source is loaded is a state.
-- $as_of: timestamptz, UTC, the instant that ages are measured to
-- > age_seconds: seconds from loaded_until_at to $as_of
-- > is_from_file: a file's batch made the mark, not an engine's reading
select
    source_id,
    table_name,
    loaded_until_at,
    checked_at,
    greatest(epoch($as_of) - epoch(loaded_until_at), 0) as age_seconds,
    batch_id <> '' as is_from_file
from source_watermark
order by table_name, source_id
