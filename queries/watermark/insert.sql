-- Writes one row of source_watermark in a snapshot's memory.
-- $source_id: varchar
-- $table_name: varchar
-- $loaded_until_at: timestamptz, UTC
-- $checked_at: timestamptz, UTC
-- $batch_id: varchar
insert into source_watermark (source_id, table_name, loaded_until_at, checked_at, batch_id)
values (
    $source_id, $table_name, cast($loaded_until_at as timestamptz), cast($checked_at as timestamptz), $batch_id
)
