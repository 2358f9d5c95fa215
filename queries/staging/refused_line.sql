-- One row per line of the block that was refused before its fields were read.
create or replace temp table refused_line (
    line_number bigint not null, -- from 1
    reason varchar not null -- why
)
