-- Adds the batch's rejected lines to the rejects of earlier loads.
insert into ingest_reject
select
    batch_id,
    file,
    line_number,
    table_name,
    reason,
    text
from reject_row
