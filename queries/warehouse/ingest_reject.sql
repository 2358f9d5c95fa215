-- One row per line that a load rejected.
-- Key: batch_id, file, line_number.
-- Partition day: none, one file.
create table ingest_reject (
    batch_id varchar not null, -- load that rejected it
    file varchar not null, -- name of the file
    line_number bigint not null, -- line in the file, from 1
    table_name varchar not null, -- table it was meant for
    reason varchar not null, -- why it was rejected
    text varchar -- the line, cut at 2,000 characters
)
