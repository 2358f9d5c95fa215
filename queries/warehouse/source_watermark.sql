-- One row per source and table: how far it is known to be loaded.
-- Key: source_id, table_name.
-- Partition day: none, one file.
create table source_watermark (
    source_id varchar not null, -- source
    table_name varchar not null, -- table
    loaded_until_at timestamptz not null, -- everything that the source knew before this instant is loaded
    checked_at timestamptz not null, -- instant at which that was true
    batch_id varchar not null -- load that brought this row
)
